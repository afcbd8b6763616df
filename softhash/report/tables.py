"""Tables for the terminal and for papers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

from rich.table import Table
from rich.text import Text

from softhash.runs.folder import Method, Result
from softhash.runs.record import RANDOM


def title(method: Method) -> str:
    """Display name of a method: what a run trained keeps its name, what it is compared with is spelt out.

    Baselines see the features that the method starts from; chance is random codes.
    """
    if method.own:
        return method.name
    return "chance" if method.name == RANDOM else f"{method.name.upper()} (before training)"


def duration(seconds: float) -> str:
    """Seconds in words.

    Example:
        >>> duration(59.6), duration(3725)
        ('1 min 0 s', '1 h 2 min')
    """
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s" if rest >= 60 else f"{rest} s"


def result_table(result: Result) -> Table:
    """The metrics of a run, a column per method: expected value, and worst to best order of ties."""
    record = result.record
    table = Table(
        title=Text(f"{record.method} on {record.data}, {record.bits} bits, seed {record.seed}", style="table.title"),
        caption=f"{record.counts['query']} queries against {record.counts['database']} images;"
        " below: worst to best order of ties.",
        caption_justify="left",
    )
    table.add_column("metric")
    for method in result.methods:
        bits = "" if method.bits == record.bits else f"\n{method.bits} bits"
        table.add_column(Text(title(method) + bits), justify="right")
    for name in result.metrics:
        table.add_row(Text(name), *(_cell(result.scores[method.name].get(name)) for method in result.methods))
    return table


@dataclass
class SummaryLine:
    """One metric of one method over code lengths.

    Attributes:
        data: Name of the data set.
        metric: Name of the metric.
        method: Name of the method or baseline, with the settings in which the runs differ.
        values: For each code length, the expected value for each seed.
    """

    data: str
    metric: str
    method: str
    values: dict[int, dict[int, float]] = field(default_factory=dict)

    def cell(self, bits: int) -> str:
        """Mean over seeds, plus or minus the sample standard deviation; empty where there is no run."""
        values = list(self.values.get(bits, {}).values())
        spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
        return f"{mean(values):.4f}{spread}" if values else ""

    def mean(self, bits: int) -> float:
        """Mean over seeds; below any metric where there is no run."""
        values = self.values.get(bits, {}).values()
        return mean(values) if values else -1.0

    @property
    def seeds(self) -> str:
        """How many seeds each cell is of."""
        counts = sorted({len(values) for values in self.values.values()})
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def summary(results: Sequence[Result]) -> list[SummaryLine]:
    """Many runs by data set and metric; in each block the methods, best first by the first metric.

    Runs that differ in a setting beside data set, code length and seed (``overrides`` of their record) are different
    methods, never seeds of one. Baselines that come out the same are one. Each method stands at its own code length.
    """
    common = set.intersection(*(set(result.record.overrides) for result in results))
    lines: dict[tuple[str, str, str], SummaryLine] = {}
    for result in results:
        record = result.record
        settings = [setting for setting in record.overrides if setting not in common]
        for method in result.methods:
            for metric, value in result.scores[method.name].items():
                name = " ".join([title(method), *settings]) if method.own else title(method)
                known = lines.get((record.data, metric, name))
                seen = known and known.values.get(method.bits, {}).get(record.seed)
                if not method.own and seen not in {None, value["expected"]}:  # settings matter to the baseline too
                    name = " ".join([name, *settings])
                line = lines.setdefault((record.data, metric, name), SummaryLine(record.data, metric, name))
                line.values.setdefault(method.bits, {})[record.seed] = value["expected"]
    data = sorted({line.data for line in lines.values()})
    metrics = list(dict.fromkeys(line.metric for line in lines.values()))
    strength: dict[tuple[str, str], float] = {}
    for line in lines.values():  # metrics come in order, so the first one sets it
        strength.setdefault((line.data, line.method), mean(line.mean(bits) for bits in line.values))
    return sorted(
        lines.values(),
        key=lambda line: (
            data.index(line.data),
            metrics.index(line.metric),
            -strength[line.data, line.method],
            line.method,
        ),
    )


def summary_table(results: Sequence[Result]) -> Table:
    """Many runs as papers show them: a block for each metric, methods down, code lengths across; the best bold."""
    heading, header, blocks = _cells(results)
    table = Table(title=heading)
    for name in header:
        table.add_column(Text(name), justify="left" if name in {"data", "metric", "method"} else "right")
    for block in blocks:
        for place, (texts, best) in enumerate(block):
            shown = [Text(text, style="bold" if column in best else "") for column, text in enumerate(texts)]
            if place:
                shown[: header.index("method")] = [Text()] * header.index("method")
            table.add_row(*shown, end_section=place == len(block) - 1)
    return table


def summary_markdown(results: Sequence[Result]) -> str:
    """:func:`summary_table` as a Markdown table."""
    heading, header, blocks = _cells(results)
    numeric = header.index("seeds")
    lines = [header, ["---"] * numeric + ["---:"] * (len(header) - numeric)]
    for block in blocks:
        lines += [[f"**{text}**" if i in best else text for i, text in enumerate(texts)] for texts, best in block]
    return f"{heading}\n\n" + "\n".join(
        f"| {' | '.join(text.replace('|', chr(92) + '|') for text in line)} |" for line in lines
    )


Line = tuple[list[str], set[int]]  # texts, and the columns in which they are the best of their block


def _cells(results: Sequence[Result]) -> tuple[str, list[str], list[list[Line]]]:
    """Heading, header, and for each data set and metric the lines of its methods."""
    lines = summary(results)
    lengths = sorted({bits for line in lines for bits in line.values})
    several = len({line.data for line in lines}) > 1
    header = [*(["data"] if several else []), "metric", "method", "seeds", *(f"{bits} bits" for bits in lengths)]
    blocks: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        rivals = [other for other in lines if (other.data, other.metric) == (line.data, line.metric)]
        best = {
            header.index(f"{bits} bits")
            for bits in lengths
            if line.values.get(bits) and line.mean(bits) == max(other.mean(bits) for other in rivals)
        }
        names = [*([line.data] if several else []), line.metric, line.method]
        texts = ([*names, line.seeds, *(line.cell(bits) for bits in lengths)], best)
        blocks.setdefault((line.data, line.metric), []).append(texts)
    where = "" if several else f" on {lines[0].data}"
    plural = "run" if len(results) == 1 else "runs"
    heading = f"{len(results)} {plural}{where}; expected values, ± standard deviation over seeds"
    return heading, header, list(blocks.values())


def _cell(value: Mapping[str, float] | None) -> Text:
    if value is None:
        return Text()
    return Text.assemble(
        (f"{value['expected']:.4f}\n", "bold"), (f"{value['worst']:.3f} to {value['best']:.3f}", "dim")
    )
