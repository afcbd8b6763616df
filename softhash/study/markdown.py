"""The study as Markdown: tables, tests, ranks and published numbers."""

from collections.abc import Iterable, Sequence

from softhash.study.collect import Study
from softhash.study.compare import Comparison, Ranks
from softhash.study.published import Beside
from softhash.study.table import Block, Style, protocol_of


def markdown(
    study: Study,
    blocks: Sequence[Block],
    comparisons: Sequence[Comparison],
    ranks: Sequence[Ranks],
    besides: Sequence[Beside],
    style: Style,
) -> str:
    """All of it; the best of a column is bold, the second is in italics."""
    parts = [
        "# Results",
        f"{len(study.records)} runs; mean ± standard deviation over {study.seeds} seeds. Values are expected over"
        " orders of ties. The best of a column is bold, the second in italics."
        + (f" {escaped(style.meaning(comparisons))}." if comparisons else ""),
        *(f"- {escaped(note)}" for note in study.notes),
    ]
    for data in study.data:
        of_data = [block for block in blocks if block.data == data and block.lines]
        parts += [f"## {escaped(data)}", f"{protocol_of(study, data)}.", *(_results(block, style) for block in of_data)]
    if ranks:
        parts += ["## Ranks", *(_ranks(one) for one in ranks)]
    if comparisons:
        parts += ["## Tests", _tests(comparisons)]
    if besides:
        parts += [
            "## Published numbers",
            "Protocols differ, so these are for orientation only; ours are beside them where the metric is the same.",
            _published(besides, style),
        ]
    if study.left_out:
        lines = (f"- `{one.folder}`: {escaped(one.why)}" for one in study.left_out)
        parts += [f"## Left out: {len(study.left_out)}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], lines: Iterable[Sequence[str]], words: int) -> str:
    """A table, of which the first columns are words and the others numbers."""
    rules = ["---"] * words + ["---:"] * (len(header) - words)
    return "\n".join(f"| {' | '.join(map(escaped, line))} |" for line in [header, rules, *lines])


def escaped(text: str) -> str:
    """A text that breaks no table and is no markup: on one line, its bars and stars escaped where they are names."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


def _results(block: Block, style: Style) -> str:
    header = [block.metric, "seeds", *(f"{bits} bits" for bits in block.bits)]
    lines = []
    for line in block.lines:
        cells = []
        for bits in block.bits:
            place = (line.method, bits)
            text = line.cell(bits, style.digits)
            emphasis = "**" if place in block.best else "*" if place in block.second else ""
            cells.append(f"{emphasis}{text}{emphasis}" + r" \*" * (place in block.marked))
        lines.append([line.method, line.seeds, *cells])
    return table(header, lines, words=1)


def _ranks(one: Ranks) -> str:
    test = f"Friedman's test, by Iman and Davenport: F = {one.friedman.f:.2f}, p {number(one.friedman.p)}"
    text = (
        f"{one.metric} over {one.blocks:,} {one.over}: {test}. Mean ranks that are less than"
        f" {one.critical_difference:.2f} apart do not differ (Nemenyi)."
        + (f" Not in every block, so left out: {', '.join(one.left_out)}." if one.left_out else "")
    )
    lines = [[method, f"{mean:.2f}"] for method, mean in one.ranks.items()]
    return f"{escaped(text)}\n\n{table(['method', 'mean rank'], lines, words=1)}"


def _tests(comparisons: Sequence[Comparison]) -> str:
    header = [
        "metric",
        "data",
        "first",
        "second",
        "over",
        "bits",
        "pairs",
        "difference",
        "95 % from",
        "to",
        "d",
        "won",
        "lost",
        "p",
        "Holm",
    ]
    lines = [
        [
            one.metric,
            one.data,
            one.first,
            one.second,
            one.over,
            str(one.bits),
            f"{one.pairs:,}",
            f"{one.effect.difference:+.4f}",
            f"{one.effect.low:+.4f}",
            f"{one.effect.high:+.4f}",
            f"{one.effect.size:+.2f}",
            f"{one.effect.wins:.0%}",
            f"{one.effect.losses:.0%}",
            number(one.p).removeprefix("= "),
            number(one.adjusted).removeprefix("= "),
        ]
        for one in comparisons
    ]
    return table(header, lines, words=5)


def _published(besides: Sequence[Beside], style: Style) -> str:
    lengths = sorted({bits for one in besides for bits in one.published})
    lines = []
    for one in besides:
        for values, who in ((one.published, one.source), (one.ours, "ours")):
            if values:
                cells = [f"{values[bits]:.{style.digits}f}" if bits in values else "" for bits in lengths]
                lines.append(
                    [one.data, one.method, one.metric, who, one.protocol if who != "ours" else "above", *cells]
                )
    return table(["data", "method", "metric", "by", "protocol", *(f"{bits} bits" for bits in lengths)], lines, words=5)


def number(p: float) -> str:
    """What a p value is, to three digits after the point, or that it is smaller.

    Example:
        >>> number(0.0125), number(1e-9)
        ('= 0.013', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
