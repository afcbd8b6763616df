r"""Sums over the ranks of a ranking with ties, which the measures are made of.

Items at one distance form a block. A block of n items, T of them relevant, that starts after N items occupies
the ranks N + 1 to N + n; the order inside is unknown. In the worst and the best order, the items of each
block are sorted by grade: they fall into cells of equal items, inside which the order no longer matters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from softhash.ranking.sharing import once

Order = Literal["expected", "worst", "best"]

_SPREAD = 9  # standard deviations beyond which a hypergeometric probability is below 1e-17
SMALLEST = 1e-30  # probability that is counted
_FEW_BLOCKS = 256
_AT_ONCE = 1 << 16  # values of one intermediate result: 512 KB, which stay in the cache


@dataclass(frozen=True)
class Blocks:
    """Ties of a ranking, nearest first; every field is ``(Q, B)`` float64, but for ``last``.

    Attributes:
        items: n, items of the block.
        relevant: T, how many of them are relevant.
        gain: S, the total of their gains.
        last: ``(Q, B)`` int64, rank of the last item.
    """

    items: Tensor
    relevant: Tensor
    gain: Tensor
    last: Tensor

    @property
    def before(self) -> Tensor:
        """N, items of all earlier blocks."""
        return self.last - self.items


@once
def grades_of(tally: Tensor, grades: Tensor | None) -> Tensor:
    """The grades of the columns of a tally: their numbers where None, the numbers of shared labels."""
    if grades is None:
        return torch.arange(tally.shape[2], dtype=torch.float64, device=tally.device)
    return grades.double()


@once
def _items_of(tally: Tensor) -> Tensor:
    """Items of each block: ``(Q, B, R)`` counts to ``(Q, B)`` float64."""
    return tally.double() @ torch.ones(tally.shape[2], dtype=torch.float64, device=tally.device)


@once
def blocks(tally: Tensor, grades: Tensor, gains: Tensor) -> Blocks:
    """Blocks of equal distance.

    Args:
        tally: ``(Q, B, R)`` counts by distance and grade.
        grades: ``(R,)`` or ``(Q, B, R)``; an item is relevant where it is above 0.
        gains: Of the same shape, what an item of the grade is worth.
    """
    counts = tally.double()
    if grades.ndim == 1:  # sums of integers, exact in any order
        weights = torch.stack([torch.ones_like(grades), (grades > 0).double(), gains], dim=1)
        items, relevant, gain = (counts @ weights).unbind(2)
    else:
        items, relevant, gain = _items_of(tally), (counts * (grades > 0)).sum(2), total(counts * gains)
    return Blocks(items, relevant, gain, items.cumsum(1).long())


@once
def _places(tally: Tensor, order: Order) -> tuple[Tensor, Tensor, Tensor]:
    """Cells of equal items in the order ``worst`` or ``best``, without those that are empty.

    Args:
        tally: ``(Q, B, R)`` counts, ascending in the last dimension.
        order: ``worst`` puts small gains first.

    Returns:
        ``(Q, M)`` int64 items, place in the flattened tally, and last rank; M is the largest number of cells of a
        query, and others end with cells of no items.
    """
    query, place = (tally.flip(2) if order == "best" else tally).flatten(1).nonzero(as_tuple=True)
    if order == "best":
        place = place + tally.shape[2] - 1 - 2 * (place % tally.shape[2])
    used = torch.bincount(query, minlength=len(tally))
    column = torch.arange(len(query), device=tally.device) - (used.cumsum(0) - used)[query]
    places = tally.new_zeros(len(tally), max(1, int(used.max())))
    items = torch.zeros_like(places)
    places[query, column], items[query, column] = place, tally.flatten(1)[query, place]
    return items, places, items.cumsum(1)


@once
def _cells(tally: Tensor, gains: Tensor, order: Order) -> tuple[Tensor, Tensor, Tensor]:
    """Items, gain of one (float64) and last rank of each cell, see :func:`_places`; ``(Q, M)`` each."""
    items, places, last = _places(tally, order)
    gain = gains[places % tally.shape[2]] if gains.ndim == 1 else gains.flatten(1).gather(1, places)
    return items, gain, last


@once
def _first_ranks(last: Tensor, top_k: int) -> int:
    """How many columns hold the first ``top_k`` ranks of every query, given the last rank of each."""
    return int((last < top_k).sum(1).max()) + 1


def gain_in_top(tally: Tensor, grades: Tensor, top_k: Tensor, order: Order) -> Tensor:
    """Total grade of the first ``top_k`` items, ``(Q, 1)`` or ``(1, 1)`` int64."""
    tally, grades = _nearest(tally, grades, int(top_k.max()))
    if order == "expected":
        ranked = blocks(tally, grades, grades)
        taken = (top_k - ranked.before).clamp(min=0).minimum(ranked.items)
        return total(ratio(ranked.gain, ranked.items) * taken)
    items, gains, last = _cells(tally, grades, order)
    taken = (top_k - (last - items)).clamp(min=0).minimum(items)
    return total(gains * taken)


def gain_at_ranks(tally: Tensor, grades: Tensor, ranks: Tensor) -> Tensor:
    """Expected total grade up to each of ``(P,)`` ascending ranks; ``(Q, P)``."""
    ranked = blocks(tally, grades, grades)
    last = ranked.last.double()
    block = torch.searchsorted(last, ranks.double().expand(len(last), -1).contiguous()).clamp(max=last.shape[1] - 1)
    within = ranks - ranked.before.gather(1, block)
    earlier = (ranked.gain.cumsum(1) - ranked.gain).gather(1, block)
    return earlier + ratio(ranked.gain, ranked.items).gather(1, block) * within


def discounted_gain(tally: Tensor, gains: Tensor, top_k: int, order: Order) -> Tensor:
    """DCG: total of gain / log2(1 + rank) over the first ``top_k`` ranks."""
    table = discount_table(table_size(tally)).to(tally.device)
    tally, gains = _nearest(tally, gains, top_k)
    if order == "expected":
        ranked = blocks(tally, gains, gains)
        reached = _first_ranks(ranked.last, top_k)
        mean = ratio(ranked.gain[:, :reached], ranked.items[:, :reached])
        return total(mean * _steps(table, ranked.last[:, :reached].clamp(max=top_k)))
    _, gains, last = _cells(tally, gains, order)
    reached = _first_ranks(last, top_k)
    return total(gains[:, :reached] * _steps(table, last[:, :reached].clamp(max=top_k)))


def mean_gain_at_relevant_ranks(tally: Tensor, grades: Tensor, cut: Tensor, order: Order) -> Tensor:
    """Total, over the relevant ranks k up to ``cut``, ``(1, 1)``, of the mean gain of the ranks 1..k."""
    table = harmonic_table(table_size(tally)).to(tally.device)
    if order == "expected":
        ranked = blocks(tally, grades, grades)
        n, relevant, gain = ranked.items, ranked.relevant, ranked.gain
        last = ranked.last.minimum(cut)
        reciprocals = _steps(table, last)
        pairs = (last - ranked.before).clamp(min=0) - (ranked.before + 1) * reciprocals
        alone = ratio(relevant * (gain.cumsum(1) - gain) + gain, n)
        return total(alone * reciprocals + ratio(gain * (relevant - 1), n * (n - 1)) * pairs)
    items, gains, last = _cells(tally, grades, order)
    gain = gains * items
    first, stop = (last - items).minimum(cut), last.minimum(cut)
    total_before = gain.cumsum(1) - gain - gains * first
    return total((gains > 0) * (gains * (stop - first) + total_before * _steps(table, stop)))


def expected_reciprocal_rank(items: Tensor, relevant: Tensor, before: Tensor) -> Tensor:
    """Mean of 1 / (N + t), t the place of the first relevant item of a shuffled block; all ``(Q, 1)``."""
    value, step = torch.zeros_like(items), 64
    chance = ratio(relevant, items)  # that the first relevant item is at place t
    for start in range(0, int((items - relevant).max()) + 1, step):
        t = start + torch.arange(1, step + 1, dtype=torch.float64, device=items.device)
        growth = ratio((items - t - relevant + 1).clamp(min=0), items - t)
        chances = chance * torch.cat([torch.ones_like(chance), growth[:, :-1]], dim=1).cumprod(1)
        value = value + total(chances / (before + t))[:, None]
        chance = chances[:, -1:] * growth[:, -1:]
        chance = chance * (chance > SMALLEST)
        if not bool(chance.any()):
            break
    return value


def _reciprocals_between(first: Tensor, last: Tensor, size: int) -> Tensor:
    """Sum of 1 / rank over the ranks after ``first`` up to ``last``, both int64 and at most ``size``."""
    table = harmonic_table(_power_of_two(size)).to(first.device)
    return table.take(last) - table.take(first)


def mean_gain_over_retrieved(tally: Tensor, grades: Tensor, cut: int, order: Order) -> Tensor:
    """Mean over the relevant ranks k up to ``cut`` of the mean gain of the ranks 1..k; 0 where there is none.

    Where the cut-off divides a block, how many relevant ranks there are is a random number.
    """
    tally, grades = _nearest(tally, grades, cut)
    ranked = blocks(tally, grades, grades)
    divided = (ranked.last <= cut).sum(1, keepdim=True).clamp(max=tally.shape[1] - 1)
    n, relevant, gain, last = (f.gather(1, divided) for f in (ranked.items, ranked.relevant, ranked.gain, ranked.last))
    before = last - n
    places = (cut - before).clamp(max=n)  # m, of the divided block; all of the last block where none is divided
    earlier = torch.arange(tally.shape[1], device=tally.device) < divided
    relevant_before, gain_before = (total(f * earlier)[:, None] for f in (ranked.relevant, ranked.gain))
    kept = mean_gain_at_relevant_ranks(tally, grades, before.long(), order)[:, None]
    if order == "expected":
        h, probability = _hypergeometric(n, relevant, places)
        reciprocals = _reciprocals_between(before.long(), (before + places).long(), cut)
        pairs = places - (before + 1) * reciprocals
        rho = ratio(gain, relevant)  # mean gain of the relevant items
        sums = kept + h * ratio((gain_before + rho) * reciprocals, places)
        sums = sums + h * (h - 1) * ratio(rho * pairs, places * (places - 1))
        return total(probability * ratio(sums, relevant_before + h))
    index = divided[:, :, None].expand(-1, -1, tally.shape[2])
    block = tally.gather(1, index)[:, 0].double()
    block_grades = grades.expand(len(tally), -1) if grades.ndim == 1 else grades.gather(1, index)[:, 0]
    block = block * (block_grades > 0)
    lowest = (places - (n - relevant)).clamp(min=0)
    highest = relevant.minimum(places)

    def values(h: Tensor) -> Tensor:
        return _value_with(h, kept, before, places, relevant_before, gain_before, block, block_grades, order)

    if tally.shape[2] > 2:
        return _extreme_over_all(values, lowest, highest, order)
    # With a single grade above 0, what one more relevant item adds grows with their number, so the value
    # first falls, then rises.
    if order == "best":
        return values(torch.cat([lowest, highest], dim=1)).amax(1)
    return values(_turning_point(values, lowest, highest))[:, 0]


def _value_with(
    h: Tensor,
    kept: Tensor,
    before: Tensor,
    places: Tensor,
    relevant_before: Tensor,
    gain_before: Tensor,
    items: Tensor,
    grades: Tensor,
    order: Order,
) -> Tensor:
    """Largest or smallest WAP@k with h relevant items of the divided block before the cut-off.

    The best order has the h items of the largest grade first, largest first; the worst has the h of the
    smallest grade last, smallest first.

    Args:
        h: ``(Q, H)``; the result is, too.
        kept: ``(Q, 1)`` sums over earlier blocks.
        before: ``(Q, 1)`` items of earlier blocks.
        relevant_before: ``(Q, 1)`` relevant items of earlier blocks.
        gain_before: ``(Q, 1)`` gain of earlier blocks.
        places: ``(Q, 1)`` places m of the divided block before the cut-off.
        items: ``(Q, R)`` relevant items of the block by grade.
        grades: ``(Q, R)``, ascending.
        order: ``best`` or ``worst``.
    """
    first = before if order == "best" else before + places - h  # ranks before the first of the h
    size = int((before + places).max())
    sums = kept.expand_as(h)
    taken, gained = torch.zeros_like(before), gain_before
    columns = range(items.shape[1])
    for column in reversed(columns) if order == "best" else columns:
        count, grade = items[:, column, None], grades[:, column, None]
        if not bool(count.any()):
            continue
        start, stop = taken.minimum(h), (taken + count).minimum(h)
        reciprocals = _reciprocals_between((first + start).long(), (first + stop).long(), size)
        sums = sums + grade * (stop - start) + (gained - grade * (taken + first)) * reciprocals
        taken, gained = taken + count, gained + grade * count
    return ratio(sums, relevant_before + h)


def _extreme_over_all(values: Callable[[Tensor], Tensor], lowest: Tensor, highest: Tensor, order: Order) -> Tensor:
    """Largest or smallest value over all h: each relevant item adds to the sum, but also to its divisor."""
    extreme = values(lowest)
    step = max(1, _AT_ONCE // len(lowest))
    for start in range(0, int((highest - lowest).max()) + 1, step):
        h = lowest + torch.arange(start, start + step, dtype=torch.float64, device=lowest.device)
        found = values(h.minimum(highest))  # what lies beyond the highest repeats it
        more = torch.cat([extreme, found], dim=1)
        extreme = (more.amax(1) if order == "best" else more.amin(1))[:, None]
    return extreme[:, 0]


def _turning_point(values: Callable[[Tensor], Tensor], lowest: Tensor, highest: Tensor) -> Tensor:
    """The h at which values that first fall and then rise are smallest, by bisection; ``(Q, 1)``."""
    while bool((lowest < highest).any()):
        middle = ((lowest + highest) / 2).floor()
        two = values(torch.cat([middle, middle + 1], dim=1))
        falling = (two[:, 1:] < two[:, :1]) & (lowest < highest)
        lowest, highest = torch.where(falling, middle + 1, lowest), torch.where(falling, highest, middle)
    return lowest


@once
def _nearest(tally: Tensor, grades: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """The blocks that hold the top k of some query, and their grades; all where they are few.

    Measures share what is known of all blocks, so that it is worth while to cut off many alone.
    """
    if tally.shape[1] <= _FEW_BLOCKS:
        return tally, grades
    count = _first_ranks(_items_of(tally).cumsum(1), top_k)
    return tally[:, :count], grades if grades.ndim == 1 else grades[:, :count]


def _hypergeometric(items: Tensor, relevant: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers of relevant items among the first places of a shuffled block, and their probabilities.

    Args:
        items: n, ``(Q, 1)``.
        relevant: T, ``(Q, 1)``.
        places: m, ``(Q, 1)``.

    Returns:
        ``(Q, H)`` numbers h and their probabilities; H covers all but 1e-17 of the probability.
    """
    lowest, highest = (places - (items - relevant)).clamp(min=0), relevant.minimum(places)
    mean = ratio(places * relevant, items)
    deviation = (mean * ratio((items - relevant) * (items - places), items * (items - 1).clamp(min=1))).sqrt()
    lowest = lowest.maximum((mean - _SPREAD * (deviation + 1)).floor())
    highest = highest.minimum((mean + _SPREAD * (deviation + 1)).ceil())
    h = lowest + torch.arange(int((highest - lowest).max()) + 1, dtype=torch.float64, device=items.device)
    growth = ratio((relevant - h) * (places - h), (h + 1) * (items - relevant - places + h + 1))
    weight = torch.cat([torch.ones_like(lowest), growth[:, :-1]], dim=1).cumprod(1) * (h <= highest)
    return h, weight / total(weight)[:, None]


def _steps(table: Tensor, last: Tensor) -> Tensor:
    """Increase of a table of cumulated values over each block: ``(Q, B)`` last ranks to float64."""
    cumulated = table.index_select(0, last.flatten()).reshape(last.shape)
    return torch.diff(cumulated, dim=1, prepend=table.new_zeros(len(last), 1))


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient; 0 where the denominator is 0."""
    return torch.where(denominator == 0, 0.0, numerator / denominator)


def total(values: Tensor) -> Tensor:
    """Sum over the last dimension in its order, so that zeros at the end do not change the last digit."""
    return values.cumsum(-1)[..., -1]


@once
def database_size(tally: Tensor) -> int:
    """Items that were counted for a query."""
    return int(tally[0].sum())


def table_size(tally: Tensor) -> int:
    """Length of the tables for a database of this size."""
    return _power_of_two(database_size(tally))


def _power_of_two(size: int) -> int:
    return 1 << size.bit_length()  # few different tables, and each the beginning of the next


@lru_cache(maxsize=1)
def harmonic_table(size: int) -> Tensor:
    """Harmonic numbers of 0 to ``size``."""
    return torch.cat([torch.zeros(1), 1 / torch.arange(1, size + 1, dtype=torch.float64)]).cumsum(0)


@lru_cache(maxsize=1)
def discount_table(size: int) -> Tensor:
    """Sums over the ranks up to 0 to ``size`` of 1 / log2(1 + rank)."""
    discounts = 1 / torch.log2(torch.arange(2, size + 2, dtype=torch.float64))
    return torch.cat([torch.zeros(1), discounts]).cumsum(0)
