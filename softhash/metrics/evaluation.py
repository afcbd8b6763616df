"""All measures of codes, in one pass over the pairs of queries and database."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from softhash.functional.codes import check_codes
from softhash.functional.ranking import num_relevant, precision, precision_recall_curve
from softhash.functional.tally import tally
from softhash.metrics.base import TallyMetric

_QUERY_BLOCK = 256
_CURVE_POINTS = 64  # ranks, evenly spaced in their logarithm, at which the precision@N curve is taken


@dataclass(frozen=True)
class Measure:
    """A measure, averaged over queries.

    Attributes:
        expected: Mean over the orders of ties, exact.
        worst: In the order of ties that makes it smallest.
        best: In the order of ties that makes it largest.
        per_query: ``(Q,)`` float64 expected values, for significance tests.
    """

    expected: float
    worst: float
    best: float
    per_query: Tensor


@dataclass(frozen=True)
class Evaluation:
    """What the codes of queries and database are worth.

    Attributes:
        measures: By name, in the order asked for.
        queries_without_relevant: Queries that share no label with any item; they count as 0.
        empty_balls: ``(K + 1,)`` share of queries with no item within each Hamming radius.
        pairs: ``(K + 1, R)`` int64 pairs by Hamming distance and number of shared labels.
        radius_precision: ``(K + 1,)`` mean precision within each Hamming radius; empty balls count as 0.
        radius_recall: ``(K + 1,)`` mean recall within each Hamming radius.
        ranks: ``(P,)`` int64 ranks of the precision@N curve, from 1 to the size of the database.
        rank_precision: ``(P,)`` mean precision at those ranks.
    """

    measures: dict[str, Measure]
    queries_without_relevant: int
    empty_balls: Tensor
    pairs: Tensor
    radius_precision: Tensor
    radius_recall: Tensor
    ranks: Tensor
    rank_precision: Tensor


def evaluate(
    metrics: Sequence[TallyMetric],
    query_codes: Tensor,
    query_labels: Tensor,
    database_codes: Tensor,
    database_labels: Tensor,
    bits: int,
    *,
    exclude_self: bool = False,
) -> Evaluation:
    """Measure codes; block by block of queries, and the same to the last digit for any block size.

    Args:
        metrics: The measures.
        query_codes: ``(Q, W)`` packed uint8.
        query_labels: ``(Q, C)`` multi-hot.
        database_codes: ``(N, W)`` packed uint8.
        database_labels: ``(N, C)`` multi-hot.
        bits: Code length K.
        exclude_self: Queries are the database; leave each one's match with itself out.

    Raises:
        ValueError: Bad codes or labels, a cut-off beyond the database, or no query with a relevant item.
    """
    check_codes(query_codes, bits, "query_codes")
    size = len(database_codes) - exclude_self
    for metric in metrics:
        metric.check_size(size)
    ranks = torch.logspace(0, torch.log10(torch.tensor(float(size))), _CURVE_POINTS).round().long().clamp(max=size).unique()
    grades = 1 + int(query_labels.sum(1).max())
    pairs = torch.zeros(bits + 1, grades, dtype=torch.int64)
    scores: dict[tuple[str, str], list[Tensor]] = {}
    curves: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]] = []
    for start in range(0, len(query_codes), _QUERY_BLOCK):
        part = slice(start, start + _QUERY_BLOCK)
        counts = tally(query_codes[part], database_codes, query_labels[part], database_labels, bits).cpu()
        if exclude_self:
            counts[torch.arange(len(counts)), 0, query_labels[part].sum(1).long().cpu()] -= 1
        pairs[:, : counts.shape[2]] += counts.sum(0)
        at_ranks = torch.stack([precision(counts, int(rank)) for rank in ranks], dim=1)
        empty = counts.sum(2).cumsum(1) == 0
        curves.append((*precision_recall_curve(counts), at_ranks, empty.double(), num_relevant(counts)))
        for metric in metrics:
            for order in ("expected", "worst", "best"):
                scores.setdefault((metric.name, order), []).append(metric.score(counts, order))
    found = {key: torch.cat(parts) for key, parts in scores.items()}
    radius_precision, radius_recall, rank_precision, empty_balls, relevant = (torch.cat(c) for c in zip(*curves, strict=True))
    if not bool(relevant.any()):
        msg = f"none of the {len(relevant)} queries shares a label with any of the {size} database items"
        raise ValueError(msg)
    return Evaluation(
        measures={
            metric.name: Measure(
                *(_mean(found[metric.name, order]) for order in ("expected", "worst", "best")),
                found[metric.name, "expected"],
            )
            for metric in metrics
        },
        queries_without_relevant=int((relevant == 0).sum()),
        empty_balls=empty_balls.mean(0),
        pairs=pairs,
        radius_precision=radius_precision.mean(0),
        radius_recall=radius_recall.mean(0),
        ranks=ranks,
        rank_precision=rank_precision.mean(0),
    )


def _mean(values: Tensor) -> float:
    """Mean that is rounded once, so that the order of queries does not change the last digit."""
    return math.fsum(values.tolist()) / len(values)
