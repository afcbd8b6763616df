r"""Measures of a ranking with ties, from its tally.

Items at one Hamming distance form a block. A block of n items, T of them relevant (sharing a label), that
starts after N items occupies the ranks N + 1 to N + n; the order inside is unknown. Each measure is given

- ``expected``: its exact mean over all orders inside the blocks, equally likely,
- ``worst`` and ``best``: its smallest and largest value over those orders.

The largest and smallest values come from the same formulas: with the items of each block sorted by the number
of shared labels, every block falls into parts of equal items, inside which the order no longer matters.

Sources: McSherry and Najork, ECIR 2008 (expectations of AP and DCG under ties); Jarvelin and Kekalainen, SIGIR
2000 and TOIS 2002 (cumulated gain).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Order = Literal["expected", "worst", "best"]
Normalizer = Literal["retrieved", "possible", "all"]
Gain = Literal["exponential", "linear"]

_SPREAD = 12  # standard deviations beyond which a hypergeometric probability is below 1e-30


@dataclass(frozen=True)
class Blocks:
    """Ties of a ranking, nearest first; every field is ``(Q, B)`` float64.

    Attributes:
        items: n, items of the block.
        relevant: T, how many of them share a label with the query.
        gain: S, the total of their gains: of the labels that they share, where no other gain is asked for.
        before: N, items of all earlier blocks.
        relevant_before: Relevant items of all earlier blocks.
        gain_before: Gain of all earlier blocks.
    """

    items: Tensor
    relevant: Tensor
    gain: Tensor
    before: Tensor
    relevant_before: Tensor
    gain_before: Tensor


def blocks(tally: Tensor, order: Order = "expected", gains: Tensor | None = None) -> Blocks:
    """Blocks of equal distance; for the extreme orders, blocks of equal distance and equal number of shared labels.

    Args:
        tally: ``(Q, K + 1, R)`` counts by distance and number of shared labels.
        order: Whose blocks.
        gains: ``(R,)`` increasing gain of an item by its number of shared labels; that number if None.
    """
    counts = tally.double()
    relevant = torch.ones(counts.shape[2], dtype=torch.float64)
    relevant[0] = 0
    gains = torch.arange(counts.shape[2], dtype=torch.float64) if gains is None else gains
    if order == "expected":
        totals = [counts.sum(2), (counts * relevant).sum(2), (counts * gains).sum(2)]
    else:
        totals = [counts, counts * relevant, counts * gains]
        totals = [(total.flip(2) if order == "best" else total).flatten(1) for total in totals]
    return Blocks(*totals, *(total.cumsum(1) - total for total in totals))


def binary(tally: Tensor) -> Tensor:
    """``(Q, K + 1, 2)``: forget how many labels are shared, once one is."""
    return torch.stack([tally[:, :, 0], tally[:, :, 1:].sum(2)], dim=2)


def num_relevant(tally: Tensor) -> Tensor:
    """Relevant items in the database for each query: ``(Q, K + 1, R)`` to ``(Q,)`` float64."""
    return tally[:, :, 1:].sum((1, 2)).double()


def precision(tally: Tensor, top_k: int | Tensor, order: Order = "expected") -> Tensor:
    """Precision@k: relevant items among the top k, divided by k; ``(Q,)`` float64 in [0, 1].

    ``top_k`` may be one cut-off for each query, ``(Q,)``; where it is 0, the value is 0.
    """
    top_k = torch.as_tensor(top_k, dtype=torch.float64)
    return _ratio(_in_top(blocks(binary(tally), order), top_k), top_k)


def recall(tally: Tensor, top_k: int, order: Order = "expected") -> Tensor:
    """Recall@k: relevant items among the top k, divided by all relevant; 0 where there is none; ``(Q,)`` float64."""
    return _ratio(_in_top(blocks(binary(tally), order), torch.tensor(top_k)), num_relevant(tally))


def precision_within_radius(tally: Tensor, radius: int) -> Tensor:
    """P@H<=r: relevant among the items at distance at most r; 0 where there is no item; ``(Q,)`` float64."""
    ball = tally[:, : radius + 1]
    return _ratio(num_relevant(ball), ball.sum((1, 2)).double())


def average_cumulative_gain(tally: Tensor, top_k: int, order: Order = "expected") -> Tensor:
    """ACG@k: mean number of shared labels among the top k.

    Args:
        tally: ``(Q, K + 1, R)``.
        top_k: Length of the list, at most the size of the database.
        order: Order of ties.

    Returns:
        ``(Q,)`` float64, at most R - 1; not bounded by 1.

    Example:
        >>> one_far_match = torch.tensor([[[3, 0], [0, 1]]])  # 3 items at distance 0, none shared
        >>> average_cumulative_gain(one_far_match, top_k=4)
        tensor([0.2500], dtype=torch.float64)
    """
    return _in_top(blocks(tally, order), torch.tensor(top_k)) / top_k


def normalized_discounted_cumulative_gain(
    tally: Tensor, top_k: int, gain: Gain = "exponential", order: Order = "expected"
) -> Tensor:
    """NDCG@k: sum of gains over log2(1 + rank), divided by that of the ideal order of the whole database.

    Args:
        tally: ``(Q, K + 1, R)``.
        top_k: Length of the list, at most the size of the database.
        gain: ``exponential`` is 2^r - 1 for r shared labels, ``linear`` is r.
        order: Order of ties.

    Returns:
        ``(Q,)`` float64 in [0, 1]; 0 where nothing is relevant.
    """
    shared = torch.arange(tally.shape[2], dtype=torch.float64)
    gains = torch.exp2(shared) - 1 if gain == "exponential" else shared
    by_grade = torch.diag_embed(tally.sum(1).flip(1)).flip(2)  # a block for each number of shared labels, most first
    return _ratio(
        _discounted(blocks(tally, order, gains), top_k), _discounted(blocks(by_grade, "expected", gains), top_k)
    )


def weighted_average_precision(
    tally: Tensor, top_k: int | None = None, normalizer: Normalizer = "retrieved", order: Order = "expected"
) -> Tensor:
    """WAP@k: ACG at the rank of each relevant item among the top k, averaged; AP where only 0 or 1 label is shared.

    Args:
        tally: ``(Q, K + 1, R)``.
        top_k: Length of the list; None is the whole database.
        normalizer: What the sum over relevant items is divided by: ``retrieved``, the relevant items among the
            top k, as hashing code does; ``possible``, the smaller of k and all relevant items; ``all``, all
            relevant items. The same for the whole database.
        order: Order of ties.

    Returns:
        ``(Q,)`` float64; 0 where no relevant item is among the top k.
    """
    size = int(tally[0].sum())
    cut = size if top_k is None else top_k
    ranked = blocks(tally, order)
    all_relevant = num_relevant(tally)
    if normalizer != "retrieved" or cut == size:
        possible = all_relevant.clamp(max=cut) if normalizer == "possible" else all_relevant
        return _ratio(_at_relevant_ranks(ranked, cut), possible)
    whole = tally.sum(2).cumsum(1) <= cut  # blocks that the cut-off leaves whole
    kept_tally = tally * whole[:, :, None]
    kept = _at_relevant_ranks(blocks(kept_tally, order), cut)
    divided = blocks(tally)
    places = (cut - divided.before).clamp(min=0).minimum(divided.items) * ~whole  # m, of the one block that is cut
    block = places.argmax(1, keepdim=True)
    places = places.gather(1, block)
    at = {name: getattr(divided, name).gather(1, block) for name in Blocks.__annotations__}
    at["relevant_before"] = num_relevant(kept_tally)[:, None]  # also where no block is cut
    if order == "expected":
        return _expected_over_cut(kept, places, **at)
    cells = tally.gather(1, block[:, :, None].expand(-1, -1, tally.shape[2]))[:, 0].double()
    return _extreme_over_cut(kept, places, cells, order, **at)


def average_precision(
    tally: Tensor, top_k: int | None = None, normalizer: Normalizer = "retrieved", order: Order = "expected"
) -> Tensor:
    """AP@k: precision at the rank of each relevant item among the top k, averaged; ``(Q,)`` float64 in [0, 1].

    See :func:`weighted_average_precision` for the arguments.

    Example:
        >>> relevant_or_not_at_equal_distance = torch.tensor([[[1, 1]]])  # 1 or 1/2, equally likely
        >>> average_precision(relevant_or_not_at_equal_distance)
        tensor([0.7500], dtype=torch.float64)
    """
    return weighted_average_precision(binary(tally), top_k, normalizer, order)


def precision_recall_curve(tally: Tensor) -> tuple[Tensor, Tensor]:
    """Precision and recall within each Hamming radius 0 to K: two ``(Q, K + 1)`` float64; empty balls give 0."""
    items, relevant = tally.sum(2).cumsum(1).double(), tally[:, :, 1:].sum(2).cumsum(1).double()
    return _ratio(relevant, items), _ratio(relevant, num_relevant(tally)[:, None])


def _in_top(ranked: Blocks, top_k: Tensor) -> Tensor:
    """Gain of the top k: a block that the cut-off divides gives its share."""
    taken = (top_k.reshape(-1, 1) - ranked.before).clamp(min=0).minimum(ranked.items)
    return _total(_ratio(ranked.gain, ranked.items) * taken)


def _discounted(ranked: Blocks, top_k: int) -> Tensor:
    """DCG of the top k: the ranks of a block share its gain."""
    size = int(ranked.items[0].sum())
    discounts = 1 / torch.log2(torch.arange(2, size + 2, dtype=torch.float64))
    table = torch.cat([discounts.new_zeros(1), discounts.cumsum(0)])
    first, last = ranked.before.clamp(max=top_k).long(), (ranked.before + ranked.items).clamp(max=top_k).long()
    return _total(_ratio(ranked.gain, ranked.items) * (table[last] - table[first]))


def _at_relevant_ranks(ranked: Blocks, cut: int) -> Tensor:
    """Sum of ACG over the ranks of relevant items, up to the cut-off."""
    n, relevant, gain, start = ranked.items, ranked.relevant, ranked.gain, ranked.before
    places = (cut - start).clamp(min=0).minimum(n)
    reciprocals, pairs = _reciprocals(start, places)
    alone = _ratio(relevant, n) * ranked.gain_before + _ratio(gain, n)
    return _total(alone * reciprocals + _ratio(gain * (relevant - 1), n * (n - 1)) * pairs)


def _expected_over_cut(
    kept: Tensor,
    places: Tensor,
    items: Tensor,
    relevant: Tensor,
    gain: Tensor,
    before: Tensor,
    relevant_before: Tensor,
    gain_before: Tensor,
) -> Tensor:
    """Mean over how many relevant items of the divided block lie before the cut-off, a hypergeometric number h."""
    h, probability = _hypergeometric(items, relevant, places)
    reciprocals, pairs = _reciprocals(before, places)
    rho = _ratio(gain, relevant)  # mean gain of the relevant items
    sums = (
        kept[:, None]
        + _ratio(h, places) * (gain_before + rho) * reciprocals
        + rho * _ratio(h * (h - 1), places * (places - 1)) * pairs
    )
    return _total(probability * _ratio(sums, relevant_before + h))


def _extreme_over_cut(
    kept: Tensor,
    places: Tensor,
    cells: Tensor,
    order: Order,
    items: Tensor,
    relevant: Tensor,
    gain: Tensor,
    before: Tensor,
    relevant_before: Tensor,
    gain_before: Tensor,
) -> Tensor:
    """Largest or smallest value over h, the relevant items of the divided block before the cut-off.

    More of them is not always better: each adds to the sum, but also to what it is divided by. For each h, the
    best order has the h items of the largest gain first, most gain first; the worst has the h of the smallest
    gain last, least gain first.

    Args:
        kept: ``(Q,)`` sums over earlier blocks.
        places: ``(Q, 1)`` places m of the divided block before the cut-off.
        cells: ``(Q, R)`` items of the block by number of shared labels.
        order: ``best`` or ``worst``.
        items: As in :class:`Blocks`, ``(Q, 1)``; so are the others.
    """
    del gain
    lowest = (places - (items - relevant)).clamp(min=0)
    highest = relevant.minimum(places)
    h = lowest + torch.arange(int((highest - lowest).max()) + 1, dtype=torch.float64)
    valid = h <= highest
    h = h.minimum(highest)
    first = before if order == "best" else before + places - h  # ranks before the first of the h
    sums = kept[:, None].expand_as(h)
    taken, gained = torch.zeros_like(highest), gain_before
    grades = range(1, cells.shape[1])
    for grade in reversed(grades) if order == "best" else grades:
        count = cells[:, grade, None]
        start, stop = taken.minimum(h), (taken + count).minimum(h)
        reciprocals, _ = _reciprocals(first + start, stop - start)
        sums = sums + grade * (stop - start) + (gained - grade * (taken + first)) * reciprocals
        taken, gained = taken + count, gained + grade * count
    values = _ratio(sums, relevant_before + h)
    return values.where(valid, -1).amax(1) if order == "best" else values.where(valid, torch.inf).amin(1)


def _reciprocals(start: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over the ranks N + t, t = 1..m, of 1 / (N + t) and of (t - 1) / (N + t)."""
    last = start + places
    harmonic = torch.cat([torch.zeros(1), 1 / torch.arange(1, int(last.max()) + 1, dtype=torch.float64)]).cumsum(0)
    reciprocals = harmonic[last.long()] - harmonic[start.long()]
    return reciprocals, places - (start + 1) * reciprocals


def _hypergeometric(items: Tensor, relevant: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of relevant items among the first places of a shuffled block, and their probabilities.

    Args:
        items: n, ``(Q, 1)``; so are relevant T and places m.

    Returns:
        ``(Q, H)`` numbers h and their probabilities; H covers all but 1e-30 of the probability.
    """
    lowest, highest = (places - (items - relevant)).clamp(min=0), relevant.minimum(places)
    mean = _ratio(places * relevant, items)
    deviation = (mean * _ratio((items - relevant) * (items - places), items * (items - 1).clamp(min=1))).sqrt()
    lowest = lowest.maximum((mean - _SPREAD * (deviation + 1)).floor())
    highest = highest.minimum((mean + _SPREAD * (deviation + 1)).ceil())
    h = lowest + torch.arange(int((highest - lowest).max()) + 1, dtype=torch.float64)
    ratio = _ratio((relevant - h) * (places - h), (h + 1) * (items - relevant - places + h + 1))
    weight = torch.cat([torch.ones_like(lowest), ratio[:, :-1]], dim=1).cumprod(1) * (h <= highest)
    return h, weight / _total(weight)[:, None]


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient; 0 where the denominator is 0."""
    return torch.where(denominator == 0, 0.0, numerator / denominator.where(denominator != 0, 1.0))


def _total(values: Tensor) -> Tensor:
    """Sum over the last dimension in its order, so that zeros at the end do not change the last digit."""
    return values.cumsum(-1)[..., -1]
