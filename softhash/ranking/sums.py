r"""Sums over the ranks of rankings with ties, which the metrics are made of.

Blocks of a query lie behind one another (:class:`softhash.ranking.blocks.Blocks`). A block of n items, T of them
relevant, with gains that sum to S, starts after N items whose gains sum to S'; it occupies the ranks N + 1 to N + n,
and every order of its items is equally likely. Writing rel_t and r_t for relevance and gain of the item at place t of
the block, :math:`E[rel_t] = T/n`, :math:`E[r_t] = E[rel_t r_t] = S/n` and, for s other than t,
:math:`E[rel_t r_s] = (T-1) S / (n (n-1))`. In the worst and the best order, items of a block are equal.

Sources: McSherry and Najork, Computing information retrieval performance measures efficiently in the presence of tied
scores, ECIR 2008 (expectations of AP, DCG and reciprocal rank); graded versions and cut-offs from the same facts.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from softhash.ranking.blocks import Blocks
from softhash.ranking.compiled import compiled

_NEGLIGIBLE = 1e-18  # share of the largest probability
_SMALLEST = 1e-30  # probability that is counted
_SHORT = 64  # a block is short if its rank is as many times its length


@compiled
def gain_in_top(blocks: Blocks, cuts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Total gain of the first items of each query: sum of S/n times the places that lie within the cut-off.

    Args:
        blocks: Blocks of Q queries.
        cuts: ``(Q,)`` cut-offs.
    """
    result = np.zeros(len(cuts))
    for query in range(len(cuts)):
        before, total = 0, 0.0
        for b in range(blocks.starts[query], blocks.starts[query + 1]):
            places = min(blocks.items[b], cuts[query] - before)
            if places <= 0:
                break
            total += blocks.gain[b] if places == blocks.items[b] else blocks.gain[b] / blocks.items[b] * places
            before += blocks.items[b]
        result[query] = total
    return result


@compiled
def gain_at_ranks(blocks: Blocks, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Total gain up to each of ``(P,)`` ascending ranks, ``(Q, P)``: linear within a block."""
    result = np.zeros((len(blocks.starts) - 1, len(ranks)))
    for query in range(len(result)):
        b, last = blocks.starts[query], blocks.starts[query + 1] - 1
        before, total = 0, 0.0
        for place in range(len(ranks)):
            while b < last and before + blocks.items[b] < ranks[place]:
                before += blocks.items[b]
                total += blocks.gain[b]
                b += 1
            result[query, place] = total + blocks.gain[b] / blocks.items[b] * (ranks[place] - before)
    return result


@compiled
def discounted_gain(blocks: Blocks, cut: int, discounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """DCG of each query: sum of S/n (D(min(N + n, cut)) - D(N)), D from :func:`discount_table`."""
    result = np.zeros(len(blocks.starts) - 1)
    for query in range(len(result)):
        before, total = 0, 0.0
        for b in range(blocks.starts[query], blocks.starts[query + 1]):
            if before >= cut:
                break
            after = before + blocks.items[b]
            if blocks.gain[b] > 0:
                total += blocks.gain[b] / blocks.items[b] * (discounts[min(after, cut)] - discounts[before])
            before = after
        result[query] = total
    return result


@compiled
def mean_gain_at_relevant_ranks(blocks: Blocks, cut: int, harmonic: NDArray[np.float64]) -> NDArray[np.float64]:
    """Total, over the relevant ranks k up to ``cut``, of the mean gain of the ranks 1..k: AP and WAP undivided.

    Args:
        blocks: Blocks of Q queries.
        cut: Cut-off, at most the size of the database.
        harmonic: H, from :func:`harmonic_table`.
    """
    result = np.zeros(len(blocks.starts) - 1)
    for query in range(len(result)):
        before, gain_before, total = 0, 0.0, 0.0
        for b in range(blocks.starts[query], blocks.starts[query + 1]):
            if before >= cut:
                break
            if blocks.relevant[b] > 0:
                places = min(blocks.items[b], cut - before)
                total += _mean_gains(
                    blocks.items[b], blocks.relevant[b], blocks.gain[b], places, before, gain_before, harmonic
                )
            before += blocks.items[b]
            gain_before += blocks.gain[b]
        result[query] = total
    return result


@compiled
def expected_mean_gain_over_retrieved(blocks: Blocks, cut: int, harmonic: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expectation of the mean gain at relevant ranks up to ``cut``, divided by how many those are; 0 without one.

    Where the cut-off divides a block, how many there are is a random number. Arguments as of
    :func:`mean_gain_at_relevant_ranks`; one block per distance.
    """
    result = np.zeros(len(blocks.starts) - 1)
    for query in range(len(result)):
        before, relevant_before, gain_before, kept = 0, 0, 0.0, 0.0
        for b in range(blocks.starts[query], blocks.starts[query + 1]):
            items, relevant, gain = blocks.items[b], blocks.relevant[b], blocks.gain[b]
            if before + items > cut:
                result[query] = _expected_over_cut(
                    items, relevant, gain, cut - before, before, relevant_before, gain_before, kept, harmonic
                )
                break
            if relevant > 0:
                kept += _mean_gains(items, relevant, gain, items, before, gain_before, harmonic)
            before += items
            relevant_before += relevant
            gain_before += gain
        else:  # the last block ends at the cut-off
            result[query] = kept / relevant_before if relevant_before > 0 else 0.0
    return result


@compiled
def extreme_mean_gain_over_retrieved(
    blocks: Blocks, cut: int, best: bool, harmonic: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Smallest or, if ``best``, largest mean gain at the relevant ranks up to ``cut``; 0 where there is none.

    Where the cut-off divides items at one distance, each relevant one that comes before it adds to the sum, but also to
    its divisor; so all their numbers h are tried. Arguments as of :func:`mean_gain_at_relevant_ranks`; one block per
    distance and grade.
    """
    result = np.zeros(len(blocks.starts) - 1)
    for query in range(len(result)):
        before, relevant_before, gain_before, kept = 0, 0, 0.0, 0.0
        first, stop = blocks.starts[query], blocks.starts[query + 1]
        while first < stop:
            end, items, relevant = first, 0, 0
            while end < stop and blocks.distance[end] == blocks.distance[first]:
                items += blocks.items[end]
                relevant += blocks.relevant[end]
                end += 1
            if before + items > cut:
                break
            for b in range(first, end):
                if blocks.relevant[b] > 0:
                    n, gain = blocks.items[b], blocks.gain[b]
                    kept += _mean_gains(n, n, gain, n, before, gain_before, harmonic)
                before += blocks.items[b]
                gain_before += blocks.gain[b]
            relevant_before += relevant
            first = end
        if first == stop:  # the last distance ends at the cut-off
            result[query] = kept / relevant_before if relevant_before > 0 else 0.0
        else:
            places = cut - before
            lowest, highest = max(0, places - (items - relevant)), min(relevant, places)
            state = (places, before, relevant_before, gain_before, kept)
            result[query] = _extreme_over_cut(blocks, first, end, lowest, highest, best, state, harmonic)
    return result


@compiled
def expected_reciprocal_rank(blocks: Blocks) -> NDArray[np.float64]:
    """Expectation of 1 / (N + t), t the place of the first relevant item of the first block that has one."""
    result = np.zeros(len(blocks.starts) - 1)
    for query in range(len(result)):
        before = 0
        for b in range(blocks.starts[query], blocks.starts[query + 1]):
            items, relevant = blocks.items[b], blocks.relevant[b]
            if relevant > 0:
                chance, t = relevant / items, 1  # chance that the first relevant item is at place t
                while chance > _SMALLEST:
                    result[query] += chance / (before + t)
                    chance *= (items - t - relevant + 1) / (items - t) if t < items else 0.0
                    t += 1
                break
            before += items
    return result


@compiled
def reciprocal_rank_in_order(blocks: Blocks, best: bool) -> NDArray[np.float64]:
    """1 / rank of the first relevant item, where relevant items come last or, if ``best``, first in their block."""
    result = np.zeros(len(blocks.starts) - 1)
    for query in range(len(result)):
        before = 0
        for b in range(blocks.starts[query], blocks.starts[query + 1]):
            items, relevant = blocks.items[b], blocks.relevant[b]
            if relevant > 0:
                result[query] = 1 / (before + 1) if best else 1 / (before + items - relevant + 1)
                break
            before += items
    return result


@compiled
def within_each_distance(blocks: Blocks, depth: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items and relevant items up to each distance, ``(Q, depth)`` both."""
    num_query = len(blocks.starts) - 1
    items, relevant = np.zeros((num_query, depth), np.int64), np.zeros((num_query, depth), np.int64)
    for query in range(num_query):
        all_items, all_relevant, b = 0, 0, blocks.starts[query]
        for distance in range(depth):
            while b < blocks.starts[query + 1] and blocks.distance[b] <= distance:
                all_items += blocks.items[b]
                all_relevant += blocks.relevant[b]
                b += 1
            items[query, distance], relevant[query, distance] = all_items, all_relevant
    return items, relevant


def harmonic_table(size: int) -> NDArray[np.float64]:
    """H: sums of 1 / k for k up to 0, 1, ... and at least ``size``."""
    return _table(_power_of_two(size), discounted=False)


def discount_table(size: int) -> NDArray[np.float64]:
    """D: sums of 1 / log2(1 + k) for k up to 0, 1, ... and at least ``size``."""
    return _table(_power_of_two(size), discounted=True)


@lru_cache(maxsize=4)
def _table(size: int, *, discounted: bool) -> NDArray[np.float64]:
    ranks = np.arange(1, size + 1, dtype=np.float64)
    return _running_total(1 / np.log2(1 + ranks) if discounted else 1 / ranks)


@compiled
def _running_total(terms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the first 0, 1, ... terms; what each addition loses is carried on (Kahan)."""
    result = np.zeros(len(terms) + 1)
    lost = 0.0
    for place in range(len(terms)):
        term = terms[place] - lost
        result[place + 1] = result[place] + term
        lost = (result[place + 1] - result[place]) - term
    return result


def _power_of_two(size: int) -> int:
    return 1 << size.bit_length()  # few different tables, and each the beginning of the next


@compiled
def _reciprocals(before: int, places: int, harmonic: NDArray[np.float64]) -> tuple[float, float]:
    """Sums over the places t of a block of 1 / (N + t), which is dH, and of (t - 1) / (N + t), which is w."""
    n, middle = float(places), before + (places + 1) / 2
    if n * _SHORT > middle:
        total = harmonic[before + places] - harmonic[before]
        return total, n - (before + 1) * total
    # These differences lose digits at far ranks: there, 1 / (c + u) as a series in u, from the middle c of the block.
    second = n * (n * n - 1) / (12 * middle * middle)  # sum of u^2 / c^2
    fourth = second * (3 * n * n - 7) / (20 * middle * middle)  # sum of u^4 / c^4
    total = (n + second + fourth) / middle
    return total, (n - 1) / 2 * total - second - fourth


@compiled
def _mean_gains(
    items: int,
    relevant: int,
    gain: float,
    places: int,
    before: int,
    gain_before: float,
    harmonic: NDArray[np.float64],
) -> float:
    """Share of the first places of a block: (T/n S' + S/n) dH + S (T-1) / (n (n-1)) w."""
    single, pairs = _reciprocals(before, places, harmonic)
    value = (relevant * gain_before + gain) / items * single
    if relevant > 1:
        value += gain * (relevant - 1) / (items * (items - 1)) * pairs
    return value


@compiled
def _expected_over_cut(
    items: int,
    relevant: int,
    gain: float,
    places: int,
    before: int,
    relevant_before: int,
    gain_before: float,
    kept: float,
    harmonic: NDArray[np.float64],
) -> float:
    """Mean over h, the hypergeometric number of relevant items among the m places before the cut-off.

    With rho = S/T and given h, the block adds h/m (S' + rho) dH + rho h (h-1) / (m (m-1)) w to what is kept of earlier
    blocks; the divisor is T' + h. The likeliest h comes first, the others upwards and downwards from it.
    """
    if relevant == 0 or places == 0:
        return kept / relevant_before if relevant_before > 0 else 0.0
    single, pairs = _reciprocals(before, places, harmonic)
    rho = gain / relevant
    single *= (gain_before + rho) / places
    pairs *= rho / (places * (places - 1)) if places > 1 else 0.0
    lowest, highest = max(0, places - (items - relevant)), min(relevant, places)
    likeliest = min(max((places + 1) * (relevant + 1) // (items + 2), lowest), highest)
    total, weights = 0.0, 0.0
    weight, h = 1.0, likeliest
    while weight > _NEGLIGIBLE:
        weights += weight
        if relevant_before + h > 0:
            total += weight * (kept + h * single + h * (h - 1) * pairs) / (relevant_before + h)
        if h == highest:
            break
        weight *= (relevant - h) * (places - h) / ((h + 1) * (items - relevant - places + h + 1))
        h += 1
    weight, h = 1.0, likeliest
    while h > lowest:
        weight *= h * (items - relevant - places + h) / ((relevant - h + 1) * (places - h + 1))
        h -= 1
        if weight <= _NEGLIGIBLE:
            break
        weights += weight
        if relevant_before + h > 0:
            total += weight * (kept + h * single + h * (h - 1) * pairs) / (relevant_before + h)
    return total / weights


@compiled
def _extreme_over_cut(
    blocks: Blocks,
    first: int,
    end: int,
    lowest: int,
    highest: int,
    best: bool,
    state: tuple[int, int, int, float, float],
    harmonic: NDArray[np.float64],
) -> float:
    """Smallest or largest value over h from lowest to highest; see :func:`_with_relevant`."""
    grades = 0
    for b in range(first, end):
        grades += blocks.relevant[b] > 0
    low, high = lowest, highest
    if grades <= 1:  # what one more relevant item adds grows with their number: the value falls, then rises
        if best:
            return max(
                _with_relevant(low, blocks, first, end, best, state, harmonic),
                _with_relevant(high, blocks, first, end, best, state, harmonic),
            )
        while low < high:
            middle = (low + high) // 2
            here = _with_relevant(middle, blocks, first, end, best, state, harmonic)
            if _with_relevant(middle + 1, blocks, first, end, best, state, harmonic) < here:
                low = middle + 1
            else:
                high = middle
        return _with_relevant(low, blocks, first, end, best, state, harmonic)
    extreme = _with_relevant(low, blocks, first, end, best, state, harmonic)
    for h in range(low + 1, high + 1):
        value = _with_relevant(h, blocks, first, end, best, state, harmonic)
        extreme = max(extreme, value) if best else min(extreme, value)
    return extreme


@compiled
def _with_relevant(
    h: int,
    blocks: Blocks,
    first: int,
    end: int,
    best: bool,
    state: tuple[int, int, int, float, float],
    harmonic: NDArray[np.float64],
) -> float:
    """Largest or smallest value with h relevant items of the divided distance before the cut-off.

    The best order has the h items of the largest grade first, largest first; the worst has the h of the smallest grade
    last, smallest first.
    """
    places, before, relevant_before, gained, total = state
    if relevant_before + h == 0:
        return 0.0
    rank = before if best else before + places - h
    left = h
    for b in range(first, end):
        count = min(blocks.relevant[b], left)
        if count > 0:
            gain = blocks.gain[b] / blocks.items[b] * count
            total += _mean_gains(count, count, gain, count, rank, gained, harmonic)
            rank += count
            gained += gain
            left -= count
    return total / (relevant_before + h)
