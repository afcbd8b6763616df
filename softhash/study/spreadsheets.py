"""The study as CSV: every number of every seed, the table of means, and all tests."""

import csv
import io
from collections.abc import Iterable, Sequence

from softhash.study.collect import Study
from softhash.study.compare import Comparison, Ranks
from softhash.study.table import Block


def long(study: Study) -> str:
    """A line for each metric of each seed of each cell."""
    header = ["data", "method", "bits", "seed", "metric", "expected", "worst", "best", "run"]
    lines = [
        [
            *cell,
            seed,
            metric,
            *(source.scores[metric][order] for order in ("expected", "worst", "best")),
            source.run.folder,
        ]
        for cell, sources in sorted(study.cells.items())
        for seed, source in sorted(sources.items())
        for metric in study.metrics
        if metric in source.scores
    ]
    return _written(header, lines)


def wide(blocks: Sequence[Block]) -> str:
    """A line for each method, metric and data set; mean, standard deviation and seeds of each code length."""
    lengths = sorted({bits for block in blocks for bits in block.bits})
    names = [f"{name} {bits}" for bits in lengths for name in ("mean", "deviation", "seeds")]
    lines = [
        [
            line.data,
            line.metric,
            line.method,
            *(
                value
                for bits in lengths
                for value in (
                    (line.mean(bits), line.spread(bits), len(line.values[bits])) if bits in line.values else ("", "", 0)
                )
            ),
        ]
        for block in blocks
        for line in block.lines
    ]
    return _written(["data", "metric", "method", *names], lines)


def tests(comparisons: Sequence[Comparison]) -> str:
    """A line for each comparison."""
    header = [
        "over",
        "metric",
        "data",
        "bits",
        "first",
        "second",
        "pairs",
        "difference",
        "low",
        "high",
        "size",
        "wins",
        "losses",
        "p",
        "holm",
    ]
    return _written(header, ([*one[:7], *one.effect, one.p, one.adjusted] for one in comparisons))


def mean_ranks(ranks: Sequence[Ranks]) -> str:
    """A line for each method and metric."""
    header = ["metric", "over", "blocks", "method", "mean rank", "critical difference", "friedman f", "friedman p"]
    lines = [
        [one.metric, one.over, one.blocks, method, mean, one.critical_difference, one.friedman.f, one.friedman.p]
        for one in ranks
        for method, mean in one.ranks.items()
    ]
    return _written(header, lines)


def _written(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()
