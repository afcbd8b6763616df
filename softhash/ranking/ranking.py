r"""Measures of a ranking with ties, from its tally.

Each measure is given

- ``expected``: its exact mean over all orders of items at equal distance, equally likely,
- ``worst`` and ``best``: its smallest and largest value over those orders.

All take ``(Q, B, R)`` counts of database items by distance, nearest first, and by grade, ascending; they
return ``(Q,)`` float64. For packed codes (:func:`softhash.ranking.counts.tally`) there is a block for each
Hamming distance 0 to K, and the grade is the number of shared labels, 0 to R - 1. Other grades, at least 0,
can be given for each column, ``(R,)``, or for each count, ``(Q, B, R)``; see
:func:`softhash.ranking.scores.tally_scores`. An item is relevant where its grade is above 0. A query
without relevant items scores 0.

Sources: McSherry and Najork, ECIR 2008 (expectations of AP and DCG under ties); Jarvelin and Kekalainen,
    SIGIR
2000 and TOIS 2002 (cumulated gain).
"""

from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

from softhash.ranking import ties
from softhash.ranking.sharing import once
from softhash.ranking.ties import Order, database_size, grades_of, ratio

try:  # the extra `fast`
    from softhash.ranking import sums as ties_compiled
except ImportError:
    ties_compiled = None  # type: ignore[assignment]

Normalizer = Literal["retrieved", "possible", "all"]
Gain = Literal["exponential", "linear"]


@once
def binary(tally: Tensor, grades: Tensor | None = None) -> Tensor:
    """``(Q, B, 2)`` int64: forget the grades, keep whether they are above 0."""
    if grades is None:
        return tally if tally.shape[2] == 2 else torch.stack([tally[:, :, 0], tally[:, :, 1:].sum(2)], dim=2)
    relevant = (grades > 0).double()
    if relevant.ndim == 1:
        return (tally.double() @ torch.stack([1 - relevant, relevant], dim=1)).long()
    return torch.stack([(tally * (1 - relevant)).sum(2), (tally * relevant).sum(2)], dim=2).long()


@once
def num_relevant(tally: Tensor, grades: Tensor | None = None) -> Tensor:
    """Relevant items in the database for each query; ``(Q,)`` float64."""
    return binary(tally, grades)[:, :, 1].sum(1).double()


def precision(tally: Tensor, top_k: int | Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
    """Precision@k: relevant items among the top k, divided by k; in [0, 1].

    ``top_k`` may be one cut-off for each query, ``(Q,)``; where it is 0, the value is 0.
    """
    top_k = torch.as_tensor(top_k, dtype=torch.float64, device=tally.device)
    return ratio(_relevant_in_top(tally, top_k, order, grades), top_k)


def recall(tally: Tensor, top_k: int, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
    """Recall@k: relevant items among the top k, divided by all relevant; in [0, 1]."""
    return ratio(_relevant_in_top(tally, torch.tensor(top_k), order, grades), num_relevant(tally, grades))


def precision_within_radius(tally: Tensor, radius: int, grades: Tensor | None = None) -> Tensor:
    """P@H<=r: relevant among the items at distance at most r; 0 where there is no item; in [0, 1]."""
    ball = tally[:, : radius + 1]
    inside = grades if grades is None or grades.ndim == 1 else grades[:, : radius + 1]
    return ratio(num_relevant(ball, inside), ball.sum((1, 2)).double())


def reciprocal_rank(tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
    """One divided by the rank of the first relevant item; in [0, 1]. Its mean over queries is MRR.

    Example:
        >>> relevant_or_not_at_equal_distance = torch.tensor([[[1, 1]]])  # rank 1 or 2, equally likely
        >>> reciprocal_rank(relevant_or_not_at_equal_distance)
        tensor([0.7500], dtype=torch.float64)
    """
    counts = binary(tally, grades)
    items, relevant, before = _first_with_relevant(counts)
    if order == "best":
        value = 1 / (before + 1)
    elif order == "worst":
        value = 1 / (before + items - relevant + 1)
    else:
        value = _sums(counts, grades_of(counts, None)).expected_reciprocal_rank(items, relevant, before)
    return value[:, 0] * (relevant[:, 0] > 0)


def average_cumulative_gain(
    tally: Tensor, top_k: int, order: Order = "expected", grades: Tensor | None = None
) -> Tensor:
    """ACG@k: mean grade of the top k; not bounded by 1.

    Args:
        tally: ``(Q, B, R)``.
        top_k: Length of the list, at most the size of the database.
        order: Order of ties.
        grades: Of the columns or counts; None for the number of shared labels.

    Example:
        >>> one_far_match = torch.tensor([[[3, 0], [0, 1]]])  # 3 items at distance 0, none shared
        >>> average_cumulative_gain(one_far_match, top_k=4)
        tensor([0.2500], dtype=torch.float64)
    """
    grades = grades_of(tally, grades)
    cut = torch.tensor([[top_k]], device=tally.device)
    gathered: Tensor = _sums(tally, grades).gain_in_top(tally, grades, cut, order)
    return gathered / top_k


def normalized_discounted_cumulative_gain(
    tally: Tensor,
    top_k: int,
    gain: Gain = "exponential",
    order: Order = "expected",
    grades: Tensor | None = None,
) -> Tensor:
    """NDCG@k: sum of gains over log2(1 + rank), divided by that of the ideal order; in [0, 1].

    The ideal order is that of the whole database.

    Args:
        tally: ``(Q, B, R)``.
        top_k: Length of the list, at most the size of the database.
        gain: ``exponential`` is 2^r - 1 for grade r, ``linear`` is r.
        order: Order of ties.
        grades: Of the columns or counts; None for the number of shared labels.
    """
    grades = grades_of(tally, grades)
    return ratio(_discounted(tally, grades, top_k, gain, order), _ideal(tally, grades, top_k, gain))


def weighted_average_precision(
    tally: Tensor,
    top_k: int | None = None,
    normalizer: Normalizer = "retrieved",
    order: Order = "expected",
    grades: Tensor | None = None,
) -> Tensor:
    """WAP@k: ACG at the rank of each relevant item among the top k, averaged; AP where all grades are 0 or 1.

    Args:
        tally: ``(Q, B, R)``.
        top_k: Length of the list; None is the whole database.
        normalizer: What the sum over relevant items is divided by: ``retrieved``, the relevant items among
            the top k, as hashing code does (0 where there is none); ``possible``, the smaller of k and all
            relevant items; ``all``, all relevant items. The same for the whole database.
        order: Order of ties.
        grades: Of the columns or counts; None for the number of shared labels.
    """
    size = database_size(tally)
    cut = size if top_k is None else top_k
    relevant = num_relevant(tally, grades)
    grades = grades_of(tally, grades)
    if normalizer != "retrieved" or cut == size:
        cuts = torch.tensor([[cut]], device=tally.device)
        found = _sums(tally, grades).mean_gain_at_relevant_ranks(tally, grades, cuts, order)
        return ratio(found, relevant.clamp(max=cut) if normalizer == "possible" else relevant)
    mean: Tensor = _sums(tally, grades).mean_gain_over_retrieved(tally, grades, cut, order)
    return mean


def average_precision(
    tally: Tensor,
    top_k: int | None = None,
    normalizer: Normalizer = "retrieved",
    order: Order = "expected",
    grades: Tensor | None = None,
) -> Tensor:
    """AP@k: precision at the rank of each relevant item among the top k, averaged; in [0, 1].

    See :func:`weighted_average_precision` for the arguments.

    Example:
        >>> relevant_or_not_at_equal_distance = torch.tensor([[[1, 1]]])  # 1 or 1/2, equally likely
        >>> average_precision(relevant_or_not_at_equal_distance)
        tensor([0.7500], dtype=torch.float64)
    """
    return weighted_average_precision(binary(tally, grades), top_k, normalizer, order)


def precision_recall_curve(tally: Tensor, grades: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Precision and recall within each distance, two ``(Q, B)`` float64; 0 where there is nothing."""
    counts = binary(tally, grades)
    relevant = counts[:, :, 1].cumsum(1).double()
    items = counts[:, :, 0].cumsum(1) + relevant
    return ratio(relevant, items), ratio(relevant, relevant[:, -1:])


def precision_at_ranks(tally: Tensor, ranks: Tensor, grades: Tensor | None = None) -> Tensor:
    """P@N curve, expected: ``(P,)`` ascending int64 ranks to ``(Q, P)`` float64."""
    counts = binary(tally, grades)
    grades = grades_of(counts, None)
    found: Tensor = _sums(counts, grades).gain_at_ranks(counts, grades, ranks)
    return found / ranks


def _relevant_in_top(tally: Tensor, top_k: Tensor, order: Order, grades: Tensor | None) -> Tensor:
    counts = binary(tally, grades)
    grades = grades_of(counts, None)
    top_k = top_k.to(tally.device, torch.int64).reshape(-1, 1)
    found: Tensor = _sums(counts, grades).gain_in_top(counts, grades, top_k, order)
    return found


def _sums(tally: Tensor, grades: Tensor) -> ModuleType:
    """The sums over ranks: compiled where that is installed and fits."""
    compiled = ties_compiled is not None and tally.device.type == "cpu" and grades.ndim == 1
    return ties_compiled if compiled else ties


@once
def _first_with_relevant(counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Items and relevant items of the nearest block that has one, and items before it, ``(Q, 1)`` float64."""
    first = (counts[:, :, 1] > 0).int().argmax(1, keepdim=True)  # the nearest block if none has one
    every = counts[:, :, 0] + counts[:, :, 1]
    items, relevant, last = (c.gather(1, first).double() for c in (every, counts[:, :, 1], every.cumsum(1)))
    return items, relevant, last - items


@once
def _ideal(tally: Tensor, grades: Tensor, top_k: int, gain: Gain) -> Tensor:
    """DCG of the order without distances, best first."""
    return _discounted(*_without_distance(tally, grades), top_k, gain, "best")


@once
def _without_distance(tally: Tensor, grades: Tensor) -> tuple[Tensor, Tensor]:
    """All items in one block, and their grades."""
    if grades.ndim == 1:
        return tally.sum(1, keepdim=True), grades
    ascending, order = grades.flatten(1).sort(1)
    return tally.flatten(1).gather(1, order)[:, None], ascending[:, None]


@once
def _gains(grades: Tensor, gain: Gain) -> Tensor:
    return torch.exp2(grades) - 1 if gain == "exponential" else grades


def _discounted(tally: Tensor, grades: Tensor, top_k: int, gain: Gain, order: Order) -> Tensor:
    gains = _gains(grades, gain)
    dcg: Tensor = _sums(tally, gains).discounted_gain(tally, gains, top_k, order)
    return dcg
