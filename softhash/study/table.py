"""The numbers of a table, and what is emphasised in it, before it becomes Markdown, LaTeX or HTML."""

from collections.abc import Sequence
from typing import NamedTuple

from softhash.report.tables import SummaryLine
from softhash.study.collect import Cell, Study
from softhash.study.compare import QUERIES, SEEDS, Comparison
from softhash.study.significance import TITLES
from softhash.text import first_few


class Block(NamedTuple):
    """One metric on one data set: methods down, code lengths across.

    Attributes:
        data: Name of the data set.
        metric: Name of the metric.
        bits: Code lengths, ascending.
        lines: A line for each method.
        best: Method and code length of the highest means, as they are printed.
        second: Those of the next ones.
        marked: Those that differ significantly; see :func:`meaning`.
    """

    data: str
    metric: str
    bits: list[int]
    lines: list[SummaryLine]
    best: set[tuple[str, int]]
    second: set[tuple[str, int]]
    marked: set[tuple[str, int]]


class Style(NamedTuple):
    """How numbers are printed and marked.

    Attributes:
        digits: After the point.
        over: Which tests give the marks: over ``queries`` or over ``seeds``.
        level: Of significance.
        reference: Display name of the method that others are compared with; None for the best of each column.
        test: Test over queries.
    """

    digits: int
    over: str
    level: float
    reference: str | None
    test: str

    def meaning(self, comparisons: Sequence[Comparison]) -> str:
        """What a mark says, for a caption; empty where nothing is tested."""
        family = [one for one in comparisons if one.over == self.over]
        if not family:
            return ""
        number = len(family) // len({one.metric for one in family})
        test = TITLES[self.test if self.over == QUERIES else "t"]
        rival = self.reference or "the best of the column"
        return (
            f"* differs from {rival} (p < {self.level:g}; {test} over {self.over}, Holm's correction for {number}"
            f" comparison{'s' * (number > 1)} per metric)"
        )


def protocol_of(study: Study, data: str) -> str:
    """What all numbers on a data set have in common, in words."""
    records = [record for record in study.records if record.data == study.data[data]]
    counts = {tuple(record.counts.items()): record.counts for record in records}
    checksums = sorted({record.checksum[:8] for record in records})
    images = " or ".join(
        f"{one['query']:,} queries against {one['database']:,} images, {one['train']:,} to train on"
        for one in counts.values()
    )
    return f"{images}; protocol{'s' * (len(checksums) > 1)} {first_few(checksums)}"


def table_blocks(study: Study, comparisons: Sequence[Comparison], style: Style) -> list[Block]:
    """All blocks by data set and metric.

    Raises:
        ValueError: The marks should be of something that is not tested.
    """
    if style.over not in {QUERIES, SEEDS}:
        msg = f"marks must be {QUERIES} or {SEEDS}, got {style.over!r}"
        raise ValueError(msg)
    return [_block(study, data, metric, comparisons, style) for data in study.data for metric in study.metrics]


def _block(study: Study, data: str, metric: str, comparisons: Sequence[Comparison], style: Style) -> Block:
    bits = study.bits(data)
    lines = []
    for method in study.on(data):
        by_bits = {length: study.values(Cell(data, method, length), metric) for length in bits}
        line = SummaryLine(data, metric, method, {length: values for length, values in by_bits.items() if values})
        lines += [line] if line.values else []
    best, second, marked = set(), set(), set()
    differ = {
        (one.bits, frozenset([one.first, one.second]))
        for one in comparisons
        if (one.over, one.metric, one.data) == (style.over, metric, data) and one.adjusted < style.level
    }
    for length in bits:
        means = {line.method: round(line.mean(length), style.digits) for line in lines if length in line.values}
        highest = sorted(set(means.values()), reverse=True)
        if len(highest) > 1:
            best |= {(method, length) for method, value in means.items() if value == highest[0]}
            second |= {(method, length) for method, value in means.items() if value == highest[1]}
        top = style.reference or max(means, key=lambda method: means[method], default=None)
        marked |= {(method, length) for method in means if (length, frozenset([top, method])) in differ}
    return Block(data, metric, bits, lines, best, second, marked)
