"""The sums of ``ties.py`` as compiled loops over blocks, for tallies whose grades belong to their columns.

In the worst and the best order, each cell of equal items is a block of its own.
"""

# numba compiles for the types that a function is called with, so its functions have no annotations
# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# ruff: noqa: ANN001, ANN202
import numpy as np
import torch
from numba import njit
from torch import Tensor

from softhash.functional.ties import SMALLEST, Order, discount_table, harmonic_table, table_size

_NEGLIGIBLE = 1e-18  # share of the largest probability

_compiled = njit(nogil=True, cache=True, error_model="numpy")  # no check of each divisor; none is 0


def gain_in_top(tally: Tensor, grades: Tensor, top_k: Tensor, order: Order) -> Tensor:
    """As :func:`softhash.functional.ties.gain_in_top`."""
    counts, values, step = _ordered(tally, grades, order)
    cuts = top_k.expand(len(tally), 1).numpy()
    return torch.from_numpy(_gain_in_top(counts, values, cuts, step))


def discounted_gain(tally: Tensor, gains: Tensor, top_k: int, order: Order) -> Tensor:
    """As :func:`softhash.functional.ties.discounted_gain`."""
    counts, values, step = _ordered(tally, gains, order)
    return torch.from_numpy(_discounted_gain(counts, values, top_k, step, discount_table(table_size(tally)).numpy()))


def mean_gain_at_relevant_ranks(tally: Tensor, grades: Tensor, cut: Tensor, order: Order) -> Tensor:
    """As :func:`softhash.functional.ties.mean_gain_at_relevant_ranks`."""
    counts, values, step = _ordered(tally, grades, order)
    table = harmonic_table(table_size(tally)).numpy()
    return torch.from_numpy(_mean_gain_at_relevant_ranks(counts, values, int(cut), step, table))


def mean_gain_over_retrieved(tally: Tensor, grades: Tensor, cut: int, order: Order) -> Tensor:
    """As :func:`softhash.functional.ties.mean_gain_over_retrieved`."""
    counts, values, step = _ordered(tally, grades, order)
    table = harmonic_table(table_size(tally)).numpy()
    return torch.from_numpy(_mean_gain_over_retrieved(counts, values, cut, step, table))


def expected_reciprocal_rank(items: Tensor, relevant: Tensor, before: Tensor) -> Tensor:
    """As :func:`softhash.functional.ties.expected_reciprocal_rank`."""
    columns = (part.flatten().numpy() for part in (items, relevant, before))
    return torch.from_numpy(_expected_reciprocal_rank(*columns))[:, None]


def _ordered(tally: Tensor, grades: Tensor, order: Order) -> tuple[np.ndarray, np.ndarray, int]:
    """Counts, grades, and the step through the columns of a block: 0 where their order is unknown."""
    return tally.contiguous().numpy(), grades.numpy(), {"expected": 0, "worst": 1, "best": -1}[order]


@_compiled
def _totals(counts, grades):
    """Items, relevant items and gain of the ``(R,)`` counts at one distance."""
    items, relevant, gain = 0, 0, 0.0
    for column in range(len(grades)):
        items += counts[column]
        if grades[column] > 0:
            relevant += counts[column]
            gain += counts[column] * grades[column]
    return items, relevant, gain


@_compiled
def _blocks(counts, grades, step, cut, items, relevant, gains):
    """Write the blocks of a query that have items, from its ``(B, R)`` counts; give how many hold the top ``cut``.

    There is one at each distance where the order inside is unknown, and one for each cell otherwise.
    """
    found, before = 0, 0
    for row in range(len(counts)):
        if step == 0:
            if before >= cut:
                return found
            items[found], relevant[found], gains[found] = _totals(counts[row], grades)
            before += items[found]
            found += items[found] > 0
            continue
        for part in range(len(grades)):
            column = part if step > 0 else len(grades) - 1 - part
            count = counts[row, column]
            if before >= cut:
                return found
            if count > 0:
                items[found] = count
                relevant[found] = count if grades[column] > 0 else 0
                gains[found] = count * grades[column]
                before += count
                found += 1
    return found


@_compiled
def _room(tally):
    """Arrays for the blocks of one query."""
    size = tally.shape[1] * tally.shape[2]
    return np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)


@_compiled
def _gain_in_top(tally, grades, cuts, step):
    result = np.zeros(len(tally))
    items, relevant, gains = _room(tally)
    for query in range(len(tally)):
        before, total, cut = 0, 0.0, cuts[query, 0]
        for block in range(_blocks(tally[query], grades, step, cut, items, relevant, gains)):
            places = min(items[block], cut - before)
            total += gains[block] if places == items[block] else gains[block] / items[block] * places
            before += items[block]
        result[query] = total
    return result


@_compiled
def _discounted_gain(tally, gains_of_columns, cut, step, table):
    result = np.zeros(len(tally))
    items, relevant, gains = _room(tally)
    for query in range(len(tally)):
        before, total = 0, 0.0
        for block in range(_blocks(tally[query], gains_of_columns, step, cut, items, relevant, gains)):
            if gains[block] > 0:
                discounts = table[min(before + items[block], cut)] - table[before]
                total += gains[block] / items[block] * discounts
            before += items[block]
        result[query] = total
    return result


@_compiled
def _mean_gain_of_block(items, relevant, gain, places, before, gain_before, table):
    """Share of the first places of a block in the sum over relevant ranks of the mean gain so far."""
    reciprocals = table[before + places] - table[before]
    if items == relevant:  # the pairs below need two items; and only the mean grade matters
        grade = gain / items
        return grade * places + (gain_before - grade * before) * reciprocals
    value = (relevant * gain_before + gain) / items * reciprocals
    return value + gain * (relevant - 1) / (items * (items - 1)) * (places - (before + 1) * reciprocals)


@_compiled
def _total_of_mean_gains(counts, grades, cut, step, table, room):
    """Total, over the relevant ranks of a query up to ``cut``, of the mean gain so far."""
    items, relevant, gains = room
    before, gain_before, total = 0, 0.0, 0.0
    for block in range(_blocks(counts, grades, step, cut, items, relevant, gains)):
        if relevant[block] > 0:
            places = min(items[block], cut - before)
            total += _mean_gain_of_block(
                items[block], relevant[block], gains[block], places, before, gain_before, table
            )
        before += items[block]
        gain_before += gains[block]
    return total


@_compiled
def _mean_gain_at_relevant_ranks(tally, grades, cut, step, table):
    result = np.zeros(len(tally))
    room = _room(tally)
    for query in range(len(tally)):
        result[query] = _total_of_mean_gains(tally[query], grades, cut, step, table, room)
    return result


@_compiled
def _mean_gain_over_retrieved(tally, grades, cut, step, table):
    result = np.zeros(len(tally))
    room = _room(tally)
    for query in range(len(tally)):
        counts = tally[query]
        row, before, relevant_before, gain_before = 0, 0, 0, 0.0
        items, relevant, gain = _totals(counts[row], grades)
        while before + items <= cut and row + 1 < len(counts):
            before += items
            relevant_before += relevant
            gain_before += gain
            row += 1
            items, relevant, gain = _totals(counts[row], grades)
        # the cut-off is in this row, or where it ends
        kept = _total_of_mean_gains(counts[:row], grades, before, step, table, room)
        state = kept, before, relevant_before, gain_before, min(items, cut - before)
        if step == 0:
            result[query] = _expected_over_cut(state, items, relevant, gain, table)
        else:
            result[query] = _extreme_over_cut(state, items, relevant, counts[row], grades, step, table)
    return result


@_compiled
def _expected_over_cut(state, items, relevant, gain, table):
    """Mean over the hypergeometric number h of relevant items before the cut-off, likeliest first."""
    kept, before, relevant_before, gain_before, places = state
    if relevant == 0 or places == 0:
        return kept / relevant_before if relevant_before > 0 else 0.0
    reciprocals = table[before + places] - table[before]
    rho = gain / relevant
    single = (gain_before + rho) * reciprocals / places
    double = rho * (places - (before + 1) * reciprocals) / (places * (places - 1)) if places > 1 else 0.0
    lowest, highest = max(0, places - (items - relevant)), min(relevant, places)
    likeliest = min(max((places + 1) * (relevant + 1) // (items + 2), lowest), highest)
    total, weights = 0.0, 0.0
    for direction in (1, -1):
        h, weight = likeliest, 1.0
        while weight > _NEGLIGIBLE:
            if direction == 1 or h != likeliest:  # counted on the way up
                weights += weight
                if relevant_before + h > 0:
                    total += weight * (kept + h * single + h * (h - 1) * double) / (relevant_before + h)
            if h == (highest if direction == 1 else lowest):
                break
            if direction == 1:
                weight *= (relevant - h) * (places - h) / ((h + 1) * (items - relevant - places + h + 1))
            else:
                weight *= h * (items - relevant - places + h) / ((relevant - h + 1) * (places - h + 1))
            h += direction
    return total / weights


@_compiled
def _extreme_over_cut(state, items, relevant, cells, grades, step, table):
    """Smallest or largest value over h; see :func:`softhash.functional.ties.mean_gain_over_retrieved`."""
    places = state[4]
    lowest, highest = max(0, places - (items - relevant)), min(relevant, places)
    if len(grades) == 2:  # falls, then rises
        if step < 0:
            return max(
                _value_with(lowest, state, cells, grades, step, table),
                _value_with(highest, state, cells, grades, step, table),
            )
        while lowest < highest:
            middle = (lowest + highest) // 2
            here = _value_with(middle, state, cells, grades, step, table)
            if _value_with(middle + 1, state, cells, grades, step, table) < here:
                lowest = middle + 1
            else:
                highest = middle
        return _value_with(lowest, state, cells, grades, step, table)
    extreme = _value_with(lowest, state, cells, grades, step, table)
    for h in range(lowest + 1, highest + 1):
        value = _value_with(h, state, cells, grades, step, table)
        extreme = min(extreme, value) if step > 0 else max(extreme, value)
    return extreme


@_compiled
def _value_with(h, state, cells, grades, step, table):
    kept, before, relevant_before, gain_before, places = state
    if relevant_before + h == 0:
        return 0.0
    first = before if step < 0 else before + places - h
    taken, gained, total = 0, gain_before, kept
    for index in range(len(grades)):
        column = index if step > 0 else len(grades) - 1 - index
        grade = grades[column]
        count = min(cells[column], h - taken) if grade > 0 else 0
        if count > 0:
            reciprocals = table[first + taken + count] - table[first + taken]
            total += grade * count + (gained - grade * (taken + first)) * reciprocals
            taken += count
            gained += grade * count
    return total / (relevant_before + h)


@_compiled
def _expected_reciprocal_rank(items, relevant, before):
    result = np.zeros(len(items))
    for query in range(len(items)):
        chance = relevant[query] / items[query] if items[query] > 0 else 0.0  # that the first relevant is at place t
        t = 1
        while chance > SMALLEST:
            result[query] += chance / (before[query] + t)
            chance *= (items[query] - t - relevant[query] + 1) / (items[query] - t) if t < items[query] else 0.0
            t += 1
    return result
