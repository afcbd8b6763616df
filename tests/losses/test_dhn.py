from collections.abc import Callable

import pytest
import torch

from softhash.functional.similarity import cosine, share
from softhash.losses.dhn import DHNLoss


def test_the_authors_code(golden: Callable[..., None]) -> None:
    golden(DHNLoss(), 0.551847, [-0.010753, -0.012680, 0.038723, -0.079116])


def test_the_paper(golden: Callable[..., None]) -> None:
    golden(DHNLoss(0.5, 0.1), 0.592580, [-0.023048, 0.008177, 0.008299, -0.052034])


def test_a_graded_similarity_changes_a_method_of_shared_labels() -> None:
    relaxed, labels = torch.full((2, 4), 0.5), torch.tensor([[1.0, 1.0], [1.0, 0.0]])

    shared, graded = (
        DHNLoss(quantization_weight=0, similarity=kind)(relaxed, labels, torch.arange(2)) for kind in (share, cosine)
    )

    # theta = 1 for all four pairs; s differs for the two mixed ones: 1, or 1 / sqrt 2
    assert (graded["pair"] - shared["pair"]).item() == pytest.approx((1 - 0.5**0.5) / 2)
