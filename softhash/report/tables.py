"""Tables for the terminal and for papers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import NamedTuple

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

    def cell(self, bits: int, digits: int = 4) -> str:
        """Mean over seeds, plus or minus the sample standard deviation; empty where there is no run."""
        spread = self.spread(bits)
        text = f"{self.mean(bits):.{digits}f}" if self.values.get(bits) else ""
        return text if spread is None else f"{text} ± {spread:.{digits}f}"

    def spread(self, bits: int) -> float | None:
        """Sample standard deviation over seeds; None of fewer than two."""
        values = self.values.get(bits, {}).values()
        return stdev(values) if len(values) > 1 else None

    def mean(self, bits: int) -> float:
        """Mean over seeds; below any metric where there is no run."""
        values = self.values.get(bits, {}).values()
        return mean(values) if values else -1.0

    @property
    def seeds(self) -> str:
        """How many seeds each cell is of."""
        counts = sorted({len(values) for values in self.values.values()})
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


class Entry(NamedTuple):
    """A method of a run, as it is called among other runs.

    Attributes:
        place: Which of the runs.
        method: Its name in the run, and its code length.
        label: Display name, with the settings in which the runs differ.
    """

    place: int
    method: Method
    label: str


def entries(results: Sequence[Result], ignore: Sequence[str] = ()) -> list[Entry]:
    """Name the methods of many runs, so that equal names mean that only data set, code length and seed differ.

    Runs that differ in a setting beside these (``overrides`` of their record) are different methods, not seeds of one.
    Baselines that come out the same have one name; where they do not, their names say of which runs they are.

    Args:
        results: The runs.
        ignore: Keys of overrides that tell no methods apart, each with all that is below it.
    """
    settings = _differing([result.record.overrides for result in results], ignore)
    named = [
        Entry(place, method, " ".join([title(method), *settings[place]]) if method.own else title(method))
        for place, result in enumerate(results)
        for method in result.methods
    ]
    beside = [["beside", result.record.method] for result in results]
    for more in (settings, beside):
        clashing = _clashing(named, results)
        named = [
            entry._replace(label=" ".join([entry.label, *more[entry.place]]))
            if (results[entry.place].record.data, entry.label) in clashing
            else entry
            for entry in named
        ]
    return named


def _differing(overrides: Sequence[Sequence[str]], ignore: Sequence[str]) -> list[list[str]]:
    """Of each run, the overrides that not all runs have."""
    kept = [[one for one in several if not is_below(one.partition("=")[0], ignore)] for several in overrides]
    common = set.intersection(*map(set, kept))
    return [[one for one in several if one not in common] for several in kept]


def is_below(key: str, keys: Sequence[str]) -> bool:
    """Whether a key of Hydra is one of some keys, or below one.

    Example:
        >>> [is_below(key, ["logger"]) for key in ("+logger", "logger.wandb.name", "loggers")]
        [True, True, False]
    """
    plain = key.lstrip("+~")
    return any(plain == one or plain.startswith((f"{one}.", f"{one}/", f"{one}@")) for one in keys)


def _clashing(named: Sequence[Entry], results: Sequence[Result]) -> set[tuple[str, str]]:
    """Data sets and labels of baselines that have come out differently for one code length and seed."""
    seen: dict[tuple[object, ...], set[float]] = defaultdict(set)
    for place, method, label in named:
        record = results[place].record
        for metric, value in results[place].scores[method.name].items():
            if not method.own:
                seen[record.data, label, method.bits, record.seed, metric].add(value["expected"])
    return {(str(key[0]), str(key[1])) for key, values in seen.items() if len(values) > 1}


def summary(results: Sequence[Result]) -> list[SummaryLine]:
    """Many runs by data set and metric; in each block the methods, best first by the first metric.

    Each method stands at its own code length, under the name of :func:`entries`.
    """
    lines: dict[tuple[str, str, str], SummaryLine] = {}
    for place, method, label in entries(results):
        record = results[place].record
        for metric, value in results[place].scores[method.name].items():
            line = lines.setdefault((record.data, metric, label), SummaryLine(record.data, metric, label))
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
