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

from softhash.ranking.sharing import once
from softhash.ranking.ties import SMALLEST, Order, discount_table, harmonic_table, table_size

_NEGLIGIBLE = 1e-18  # share of the largest probability
_STEPS = {"expected": 0, "worst": 1, "best": -1}  # through the cells of a block; 0 where their order is unknown

_compiled = njit(nogil=True, cache=True, error_model="numpy")  # no check of each divisor; none is 0


def gain_in_top(tally: Tensor, grades: Tensor, top_k: Tensor, order: Order) -> Tensor:
    """As :func:`softhash.ranking.ties.gain_in_top`."""
    cuts = top_k.expand(len(tally), 1).numpy()
    return torch.from_numpy(_gain_in_top(*_cells(tally), grades.numpy(), cuts, _STEPS[order]))


def gain_at_ranks(tally: Tensor, grades: Tensor, ranks: Tensor) -> Tensor:
    """As :func:`softhash.ranking.ties.gain_at_ranks`."""
    return torch.from_numpy(_gain_at_ranks(*_cells(tally), grades.numpy(), ranks.numpy()))


def discounted_gain(tally: Tensor, gains: Tensor, top_k: int, order: Order) -> Tensor:
    """As :func:`softhash.ranking.ties.discounted_gain`."""
    table = discount_table(table_size(tally)).numpy()
    return torch.from_numpy(_discounted_gain(*_cells(tally), gains.numpy(), top_k, _STEPS[order], table))


def mean_gain_at_relevant_ranks(tally: Tensor, grades: Tensor, cut: Tensor, order: Order) -> Tensor:
    """As :func:`softhash.ranking.ties.mean_gain_at_relevant_ranks`."""
    table = harmonic_table(table_size(tally)).numpy()
    found = _mean_gain_at_relevant_ranks(*_cells(tally), grades.numpy(), int(cut), _STEPS[order], table)
    return torch.from_numpy(found)


def mean_gain_over_retrieved(tally: Tensor, grades: Tensor, cut: int, order: Order) -> Tensor:
    """As :func:`softhash.ranking.ties.mean_gain_over_retrieved`."""
    table = harmonic_table(table_size(tally)).numpy()
    return torch.from_numpy(_mean_gain_over_retrieved(*_cells(tally), grades.numpy(), cut, _STEPS[order], table))


def expected_reciprocal_rank(items: Tensor, relevant: Tensor, before: Tensor) -> Tensor:
    """As :func:`softhash.ranking.ties.expected_reciprocal_rank`."""
    columns = (part.flatten().numpy() for part in (items, relevant, before))
    return torch.from_numpy(_expected_reciprocal_rank(*columns))[:, None]


@once
def _cells(tally: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counts of a tally that are not 0: start of each query, and distance, column and count of each cell."""
    all_counts = tally.contiguous().numpy()
    starts = np.zeros(len(tally) + 1, np.int64)
    # Most cells are empty, so most of these arrays is never touched.
    distances, columns, counts = (np.empty(all_counts.size, kind) for kind in (np.int32, np.int32, np.int64))
    _collect(all_counts, starts, distances, columns, counts)
    return starts, distances, columns, counts


@_compiled
def _collect(tally, starts, distances, columns, counts):
    """Write the cells that are not empty, and where those of each query start."""
    found = 0
    for query in range(tally.shape[0]):
        for distance in range(tally.shape[1]):
            for column in range(tally.shape[2]):
                count = tally[query, distance, column]
                if count > 0:
                    distances[found], columns[found], counts[found] = distance, column, count
                    found += 1
        starts[query + 1] = found


@_compiled
def _end_of_block(distances, first, stop):
    """Where the cells at the distance of the first one end."""
    end = first + 1
    while end < stop and distances[end] == distances[first]:
        end += 1
    return end


@_compiled
def _totals(columns, counts, grades, first, end):
    """Items, relevant items and gain of some cells."""
    items, relevant, gain = 0, 0, 0.0
    for cell in range(first, end):
        items += counts[cell]
        grade = grades[columns[cell]]
        if grade > 0:
            relevant += counts[cell]
            gain += counts[cell] * grade
    return items, relevant, gain


@_compiled
def _blocks(distances, columns, counts, grades, first, stop, step, cut, room):
    """Write the blocks of a query, from its cells; give how many hold the top ``cut``.

    There is one at each distance where the order inside is unknown, and one for each cell otherwise.
    """
    items, relevant, gains = room
    found, before = 0, 0
    while first < stop and before < cut:
        end = _end_of_block(distances, first, stop)
        if step == 0:
            items[found], relevant[found], gains[found] = _totals(columns, counts, grades, first, end)
            before += items[found]
            found += 1
        else:
            for part in range(end - first):
                if before >= cut:
                    return found
                cell = first + part if step > 0 else end - 1 - part
                grade, count = grades[columns[cell]], counts[cell]
                items[found] = count
                relevant[found] = count if grade > 0 else 0
                gains[found] = count * grade
                before += count
                found += 1
        first = end
    return found


@_compiled
def _room(starts):
    """Arrays for the blocks of one query."""
    size = 0
    for query in range(len(starts) - 1):
        size = max(size, starts[query + 1] - starts[query])
    return np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)


@_compiled
def _gain_in_top(starts, distances, columns, counts, grades, cuts, step):
    result = np.zeros(len(starts) - 1)
    room = _room(starts)
    items, _, gains = room
    for query in range(len(result)):
        before, total, cut = 0, 0.0, cuts[query, 0]
        first, stop = starts[query], starts[query + 1]
        for block in range(_blocks(distances, columns, counts, grades, first, stop, step, cut, room)):
            places = min(items[block], cut - before)
            total += gains[block] if places == items[block] else gains[block] / items[block] * places
            before += items[block]
        result[query] = total
    return result


@_compiled
def _gain_at_ranks(starts, distances, columns, counts, grades, ranks):
    result = np.zeros((len(starts) - 1, len(ranks)))
    room = _room(starts)
    items, _, gains = room
    for query in range(len(result)):
        first, stop = starts[query], starts[query + 1]
        found = _blocks(distances, columns, counts, grades, first, stop, 0, ranks[-1], room)
        block, before, total = 0, 0, 0.0
        for place in range(len(ranks)):
            while block < found - 1 and before + items[block] < ranks[place]:
                before += items[block]
                total += gains[block]
                block += 1
            result[query, place] = total + gains[block] / items[block] * (ranks[place] - before)
    return result


@_compiled
def _discounted_gain(starts, distances, columns, counts, gains_of_columns, cut, step, table):
    result = np.zeros(len(starts) - 1)
    room = _room(starts)
    items, _, gains = room
    for query in range(len(result)):
        before, total = 0, 0.0
        first, stop = starts[query], starts[query + 1]
        for block in range(_blocks(distances, columns, counts, gains_of_columns, first, stop, step, cut, room)):
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
def _total_of_mean_gains(distances, columns, counts, grades, first, stop, cut, step, table, room):
    """Total, over the relevant ranks of a query up to ``cut``, of the mean gain so far."""
    items, relevant, gains = room
    before, gain_before, total = 0, 0.0, 0.0
    for block in range(_blocks(distances, columns, counts, grades, first, stop, step, cut, room)):
        if relevant[block] > 0:
            places = min(items[block], cut - before)
            total += _mean_gain_of_block(
                items[block], relevant[block], gains[block], places, before, gain_before, table
            )
        before += items[block]
        gain_before += gains[block]
    return total


@_compiled
def _mean_gain_at_relevant_ranks(starts, distances, columns, counts, grades, cut, step, table):
    result = np.zeros(len(starts) - 1)
    room = _room(starts)
    for query in range(len(result)):
        first, stop = starts[query], starts[query + 1]
        result[query] = _total_of_mean_gains(distances, columns, counts, grades, first, stop, cut, step, table, room)
    return result


@_compiled
def _mean_gain_over_retrieved(starts, distances, columns, counts, grades, cut, step, table):
    result = np.zeros(len(starts) - 1)
    room = _room(starts)
    for query in range(len(result)):
        start, stop = starts[query], starts[query + 1]
        first, end = start, _end_of_block(distances, start, stop)
        before, relevant_before, gain_before = 0, 0, 0.0
        items, relevant, gain = _totals(columns, counts, grades, first, end)
        while before + items <= cut and end < stop:
            before += items
            relevant_before += relevant
            gain_before += gain
            first, end = end, _end_of_block(distances, end, stop)
            items, relevant, gain = _totals(columns, counts, grades, first, end)
        # the cut-off is in this block, or where it ends
        kept = _total_of_mean_gains(distances, columns, counts, grades, start, first, before, step, table, room)
        state = kept, before, relevant_before, gain_before, min(items, cut - before)
        if step == 0:
            result[query] = _expected_over_cut(state, items, relevant, gain, table)
        else:
            block = columns[first:end], counts[first:end]
            result[query] = _extreme_over_cut(state, items, relevant, block, grades, step, table)
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
def _extreme_over_cut(state, items, relevant, block, grades, step, table):
    """Smallest or largest value over h; see :func:`softhash.ranking.ties.mean_gain_over_retrieved`."""
    places = state[4]
    lowest, highest = max(0, places - (items - relevant)), min(relevant, places)
    if len(grades) == 2:  # falls, then rises
        if step < 0:
            return max(
                _value_with(lowest, state, block, grades, step, table),
                _value_with(highest, state, block, grades, step, table),
            )
        while lowest < highest:
            middle = (lowest + highest) // 2
            here = _value_with(middle, state, block, grades, step, table)
            if _value_with(middle + 1, state, block, grades, step, table) < here:
                lowest = middle + 1
            else:
                highest = middle
        return _value_with(lowest, state, block, grades, step, table)
    extreme = _value_with(lowest, state, block, grades, step, table)
    for h in range(lowest + 1, highest + 1):
        value = _value_with(h, state, block, grades, step, table)
        extreme = min(extreme, value) if step > 0 else max(extreme, value)
    return extreme


@_compiled
def _value_with(h, state, block, grades, step, table):
    kept, before, relevant_before, gain_before, places = state
    columns, counts = block
    if relevant_before + h == 0:
        return 0.0
    first = before if step < 0 else before + places - h
    taken, gained, total = 0, gain_before, kept
    for part in range(len(columns)):
        cell = part if step > 0 else len(columns) - 1 - part
        grade = grades[columns[cell]]
        count = min(counts[cell], h - taken) if grade > 0 else 0
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
