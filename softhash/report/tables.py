"""Tables for the terminal and for papers."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from rich.table import Table


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
        table.add_column(_title(row), justify="right")
    for name in next(iter(result["rows"].values())):
        table.add_row(name, *(_cell(values.get(name)) for values in result["rows"].values()))
    return table


def summary_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Many runs side by side: a line for each data set, method and code length, averaged over seeds.

    Args:
        results: Contents of ``metrics.json``, of any number of runs.
    """
    lines = summary(results)
    names = list(dict.fromkeys(name for line in lines for name in line["measures"]))
    table = Table(title=f"{len(results)} runs; expected values, plus or minus the standard deviation over seeds")
    for title in ("data", "method"):
        table.add_column(title)
    for title in ("bits", "seeds", *names):
        table.add_column(title, justify="right")
    for line in lines:
        cells = [line["measures"].get(name, "") for name in names]
        table.add_row(line["data"], line["method"], str(line["bits"]), str(line["seeds"]), *cells)
    return table


def summary(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line for each data set, method and code length, in that order, with the measures as text."""
    groups: dict[tuple[str, str, int], list[Mapping[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["data"], result["method"], result["bits"]), []).append(result)
    lines = []
    for (data, method, bits), runs in sorted(groups.items()):
        rows = [run["rows"][method] for run in runs]
        values = {name: [row[name]["expected"] for row in rows if name in row] for name in rows[0]}
        measures = {name: f"{mean(v):.4f}" + (f" ± {stdev(v):.4f}" if len(v) > 1 else "") for name, v in values.items()}
        lines.append({"data": data, "method": method, "bits": bits, "seeds": len(runs), "measures": measures})
    return lines


def _title(row: str) -> str:
    return {"random": "chance\n(random codes)", "lsh": "LSH\n(untrained features)"}.get(row, row)


def _cell(value: Mapping[str, float] | None) -> str:
    if value is None:
        return ""
    return f"[bold]{value['expected']:.4f}[/]\n[dim]{value['worst']:.3f} to {value['best']:.3f}[/]"
