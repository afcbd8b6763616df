"""Which methods of a study differ: paired tests over queries and over seeds, and ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from softhash.study.collect import Cell, Study
from softhash.study.ranks import Floats, Friedman, critical_difference, friedman, mean_ranks
from softhash.study.significance import TESTS, Effect, effect, holm, p_value

QUERIES, SEEDS, CELLS = "queries", "seeds", "cells"
Block = tuple[str, int, str, int | None]  # data set, code length, queries and database, seed


class Comparison(NamedTuple):
    """Two methods on one data set, with one code length and by one metric.

    Attributes:
        over: What is paired: ``queries``, or ``seeds``.
        metric: Name of the metric.
        data: Name of the data set.
        bits: Code length.
        first: The reference; or, where all are compared with all, the one that stands higher in the tables.
        second: The other one.
        pairs: How many pairs.
        effect: The first minus the second.
        p: Two-sided, of this test alone.
        adjusted: After Holm's correction for all comparisons of the metric and of what is paired.
    """

    over: str
    metric: str
    data: str
    bits: int
    first: str
    second: str
    pairs: int
    effect: Effect
    p: float
    adjusted: float


@dataclass(frozen=True)
class Ranks:
    """Ranks of methods by one metric.

    Attributes:
        metric: Name of the metric.
        over: What blocks are.
        blocks: How many there are.
        ranks: Mean rank by method, best first.
        friedman: Whether all could be equal.
        critical_difference: How far apart two mean ranks must be.
        left_out: Methods without a value in some block.
    """

    metric: str
    over: str
    blocks: int
    ranks: dict[str, float]
    friedman: Friedman
    critical_difference: float
    left_out: list[str]


def compare(study: Study, reference: str | None, test: str) -> list[Comparison]:
    """Test methods against a reference, or all pairs where there is none; random codes take no part.

    Over queries it is a test of one's choice, of scores that are averaged over seeds. Over seeds it is the t test, as
    no other can reach a small p value with a handful of them.

    Args:
        study: The runs.
        reference: Display name of the method that the others are compared with.
        test: One of :data:`~softhash.study.significance.TESTS`, over queries.

    Raises:
        ValueError: There is no such test.
    """
    if test not in TESTS:
        msg = f"test must be one of {', '.join(TESTS)}, got {test!r}"
        raise ValueError(msg)
    return [
        comparison
        for metric in study.metrics
        for over in (QUERIES, SEEDS)
        for comparison in _corrected(_family(study, metric, over, reference, test if over == QUERIES else "t"))
    ]


def _family(study: Study, metric: str, over: str, reference: str | None, test: str) -> list[Comparison]:
    """All comparisons that are corrected together."""
    paired = paired_queries if over == QUERIES else paired_seeds
    found = []
    for data in study.data:
        for bits in study.bits(data):
            rivals = [method for method in study.on(data) if method not in study.chance]
            pairs = [(reference, rival) for rival in rivals if rival != reference] if reference else None
            for first, second in pairs or combinations(rivals, 2):
                values = paired(study, Cell(data, first, bits), Cell(data, second, bits), metric)
                differences = values[0] - values[1]
                if len(differences) > 1:
                    p = p_value(differences, test)
                    size = effect(differences)
                    found.append(Comparison(over, metric, data, bits, first, second, len(differences), size, p, p))
    return found


def _corrected(family: Sequence[Comparison]) -> list[Comparison]:
    adjusted = holm([comparison.p for comparison in family])
    return [comparison._replace(adjusted=p) for comparison, p in zip(family, adjusted, strict=True)]


def paired_queries(study: Study, first: Cell, second: Cell, metric: str) -> tuple[Floats, Floats]:
    """Scores of the queries that two cells have, each averaged over the seeds that both have.

    Seeds of other queries, or of another database, add their queries to those of the others. A query that a metric
    excludes is in neither.
    """
    sums: dict[str, list[Floats]] = {}
    a, b = (study.cells.get(cell, {}) for cell in (first, second))
    for seed in sorted(a.keys() & b.keys()):
        if a[seed].test_set == b[seed].test_set and metric in a[seed].per_query and metric in b[seed].per_query:
            pair = np.stack([a[seed].per_query[metric], b[seed].per_query[metric]])
            sums.setdefault(a[seed].test_set, []).append(pair)
    if not sums:
        return np.empty(0), np.empty(0)
    values = np.concatenate([np.mean(pairs, axis=0) for pairs in sums.values()], axis=1)
    one, other = values[:, ~np.isnan(values).any(axis=0)]
    return one, other


def paired_seeds(study: Study, first: Cell, second: Cell, metric: str) -> tuple[Floats, Floats]:
    """Means over queries, ``(n,)`` each, of the seeds for which two cells have the same queries and database."""
    a, b = (study.values(cell, metric) for cell in (first, second))
    both = [
        seed
        for seed in sorted(a.keys() & b.keys())
        if study.cells[first][seed].test_set == study.cells[second][seed].test_set
    ]
    return np.array([a[seed] for seed in both]), np.array([b[seed] for seed in both])


def rank(study: Study, metric: str, over: str, level: float) -> Ranks | None:
    """Rank methods in every block; None with fewer than 3 methods or 2 blocks.

    Blocks are those of the method that has most. Methods that lack one of them are left out, and so are random codes.

    Args:
        study: The runs.
        metric: Name of the metric.
        over: What a block is: ``cells`` of data set, code length and seed, or ``queries``, averaged over seeds, of each
            data set and code length.
        level: Of significance.

    Raises:
        ValueError: ``over`` is something else.
    """
    if over not in {CELLS, QUERIES}:
        msg = f"ranks must be {CELLS} or {QUERIES}, got {over!r}"
        raise ValueError(msg)
    found: dict[str, dict[Block, list[Floats]]] = {}
    for cell, sources in study.cells.items():
        for seed, source in sources.items():
            if cell.method not in study.chance and metric in source.per_query:
                block = (cell.data, cell.bits, source.test_set, seed if over == CELLS else None)
                scores = np.array([source.scores[metric]["expected"]]) if over == CELLS else source.per_query[metric]
                found.setdefault(cell.method, {}).setdefault(block, []).append(scores)
    blocks = max(found.values(), key=len, default={}).keys()
    complete = [method for method in study.methods if method in found and found[method].keys() >= blocks]
    if len(complete) < 3 or not blocks:
        return None
    values = np.stack(
        [np.concatenate([np.mean(found[name][block], axis=0) for block in blocks]) for name in complete], 1
    )
    values = values[~np.isnan(values).any(axis=1)]
    if len(values) < 2:
        return None
    ranked = sorted(zip(complete, mean_ranks(values).tolist(), strict=True), key=lambda one: one[1])
    what = "queries" if over == QUERIES else "cells of data set, code length and seed"
    difference = critical_difference(len(complete), len(values), level)
    others = [method for method in found if method not in complete]
    return Ranks(metric, what, len(values), dict(ranked), friedman(values), difference, others)
