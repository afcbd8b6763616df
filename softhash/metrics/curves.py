"""Curves over Hamming radii and over ranks."""

import numpy as np
import torch
from torch import Tensor

from softhash.ranking.ranking import Ranking, ratio
from softhash.ranking.sums import gain_at_ranks


def precision_recall_curve(ranking: Ranking) -> tuple[Tensor, Tensor]:
    """Precision and recall within each distance, two ``(Q, B)`` float64; 0 where there is nothing."""
    items, relevant = (torch.from_numpy(counts) for counts in ranking.within)
    return ratio(relevant, items), ratio(relevant, relevant[:, -1:])


def precision_at_ranks(ranking: Ranking, ranks: Tensor) -> Tensor:
    """P@N curve, expected: ``(P,)`` ascending int64 ranks to ``(Q, P)`` float64."""
    return torch.from_numpy(gain_at_ranks(ranking.binary.tied, ranks.numpy())) / ranks


def curves_over_distances(ranking: Ranking) -> dict[str, Tensor]:
    """What lies within each distance, ``(Q, B)`` float64: ``radius_precision``, ``radius_recall``, ``empty_balls``.

    The last is 1 where there is no item, else 0.
    """
    precision, recall = precision_recall_curve(ranking)
    empty = torch.from_numpy((ranking.within[0] == 0).astype(np.float64))
    return {"radius_precision": precision, "radius_recall": recall, "empty_balls": empty}
