"""Tables for the terminal and for papers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from rich.table import Table
from rich.text import Text

_TITLES = {"lsh": "LSH (before training)", "random": "chance"}


def row_title(row: str) -> str:
    """How tables and figures call a row of codes: baselines are spelt out, a method keeps its name.

    LSH sees the features that the method starts from; chance is random codes.
    """
    return _TITLES.get(row, row)


def result_table(result: Mapping[str, Any]) -> Table:
    """The measures of a run, a column each row of codes: expected value, and worst to best order of ties.

    Args:
        result: Content of ``metrics.json``.
    """
    counts = result["protocol"]["counts"]
    table = Table(
        title=f"{result['method']} on {result['data']}, {result['bits']} bits, seed {result['seed']}",
        caption=f"{counts['query']} queries against {counts['database']} images; below: worst to best order of ties.",
        caption_justify="left",
    )
    table.add_column("measure")
    for row in result["rows"]:
        table.add_column(Text(row_title(row)), justify="right")
    for name in measure_names(result):
        table.add_row(Text(name), *(_cell(values.get(name)) for values in result["rows"].values()))
    return table


def measure_names(result: Mapping[str, Any]) -> list[str]:
    """Measures of a run in order, whichever row has them."""
    return list(dict.fromkeys(name for values in result["rows"].values() for name in values))


@dataclass
class SummaryLine:
    """One measure of one method over code lengths.

    Attributes:
        data: Name of the data set.
        measure: Name of the measure.
        method: Name of the method or baseline, with the settings in which the runs differ.
        values: For each code length, the expected value for each seed.
    """

    data: str
    measure: str
    method: str
    values: dict[int, dict[int, float]] = field(default_factory=dict)

    def cell(self, bits: int) -> str:
        """Mean over seeds, plus or minus the sample standard deviation; empty where there is no run."""
        found = list(self.values.get(bits, {}).values())
        spread = f" ± {stdev(found):.4f}" if len(found) > 1 else ""
        return f"{mean(found):.4f}{spread}" if found else ""

    def mean(self, bits: int) -> float:
        """Mean over seeds; below any measure where there is no run."""
        found = self.values.get(bits, {}).values()
        return mean(found) if found else -1.0

    @property
    def seeds(self) -> str:
        """How many seeds each cell is of."""
        counts = sorted({len(found) for found in self.values.values()})
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def summary(results: Sequence[Mapping[str, Any]]) -> list[SummaryLine]:
    """Many runs by data set and measure; in each block the methods, best first by the first measure.

    Runs that differ in a setting beside data set, code length and seed (``overrides`` in ``metrics.json``) are
    different methods, never seeds of one. Baselines that come out the same are one.

    Args:
        results: Contents of ``metrics.json``, of any number of runs.
    """
    common = set.intersection(*(set(result.get("overrides", [])) for result in results))
    lines: dict[tuple[str, str, str], SummaryLine] = {}
    for result in results:
        settings = [setting for setting in result.get("overrides", []) if setting not in common]
        for row, values in result["rows"].items():
            own = row == result["method"]
            for name, value in values.items():
                method = " ".join([row, *settings]) if own else row_title(row)
                known = lines.get((result["data"], name, method))
                seen = known and known.values.get(result["bits"], {}).get(result["seed"])
                if not own and seen not in {None, value["expected"]}:  # the settings matter to the baseline too
                    method = " ".join([method, *settings])
                line = lines.setdefault((result["data"], name, method), SummaryLine(result["data"], name, method))
                line.values.setdefault(result["bits"], {})[result["seed"]] = value["expected"]
    data = sorted({line.data for line in lines.values()})
    measures = list(dict.fromkeys(line.measure for line in lines.values()))
    strength: dict[tuple[str, str], float] = {}
    for line in lines.values():  # measures come in order, so the first one sets it
        strength.setdefault((line.data, line.method), mean(line.mean(bits) for bits in line.values))
    return sorted(
        lines.values(),
        key=lambda line: (
            data.index(line.data),
            measures.index(line.measure),
            -strength[line.data, line.method],
            line.method,
        ),
    )


def summary_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Many runs as papers show them: a block for each measure, methods down, code lengths across; the best bold.

    Args:
        results: Contents of ``metrics.json``, of any number of runs.
    """
    title, header, blocks = _cells(results)
    table = Table(title=title)
    for name in header:
        table.add_column(Text(name), justify="left" if name in {"data", "measure", "method"} else "right")
    for block in blocks:
        for place, (texts, best) in enumerate(block):
            shown = [Text(text, style="bold" if column in best else "") for column, text in enumerate(texts)]
            if place:
                shown[: header.index("method")] = [Text()] * header.index("method")
            table.add_row(*shown, end_section=place == len(block) - 1)
    return table


def summary_markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """:func:`summary_table` as a Markdown table."""
    title, header, blocks = _cells(results)
    numeric = header.index("seeds")
    lines = [header, ["---"] * numeric + ["---:"] * (len(header) - numeric)]
    for block in blocks:
        lines += [[f"**{text}**" if i in best else text for i, text in enumerate(texts)] for texts, best in block]
    return f"{title}\n\n" + "\n".join(
        f"| {' | '.join(text.replace('|', chr(92) + '|') for text in line)} |" for line in lines
    )


Row = tuple[list[str], set[int]]  # texts of a row, and the columns in which it is the best of its block


def _cells(results: Sequence[Mapping[str, Any]]) -> tuple[str, list[str], list[list[Row]]]:
    """Title, header, and for each data set and measure the rows of its methods."""
    lines = summary(results)
    lengths = sorted({bits for line in lines for bits in line.values})
    several = len({line.data for line in lines}) > 1
    header = [*(["data"] if several else []), "measure", "method", "seeds", *(f"{bits} bits" for bits in lengths)]
    blocks: dict[tuple[str, str], list[Row]] = {}
    for line in lines:
        rivals = [other for other in lines if (other.data, other.measure) == (line.data, line.measure)]
        best = {
            header.index(f"{bits} bits")
            for bits in lengths
            if line.values.get(bits) and line.mean(bits) == max(other.mean(bits) for other in rivals)
        }
        names = [*([line.data] if several else []), line.measure, line.method]
        row = ([*names, line.seeds, *(line.cell(bits) for bits in lengths)], best)
        blocks.setdefault((line.data, line.measure), []).append(row)
    where = "" if several else f" on {lines[0].data}"
    plural = "run" if len(results) == 1 else "runs"
    title = f"{len(results)} {plural}{where}; expected values, ± standard deviation over seeds"
    return title, header, list(blocks.values())


def _cell(value: Mapping[str, float] | None) -> Text:
    if value is None:
        return Text()
    return Text.assemble(
        (f"{value['expected']:.4f}\n", "bold"), (f"{value['worst']:.3f} to {value['best']:.3f}", "dim")
    )
