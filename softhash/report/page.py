"""The page of a run: one file with everything in it."""

import csv
import shlex
from collections.abc import Iterable, Mapping
from html import escape
from importlib import import_module
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from softhash.data.base import Split
from softhash.report import figures
from softhash.report.drawing import Drawing, RunFigure, styled
from softhash.report.tables import duration, title
from softhash.runs.folder import Record, Result, Run
from softhash.storage.atomic import atomic_write


def all_figures() -> list[RunFigure]:
    """``FIGURE`` of every module of :mod:`softhash.report.figures`, in the order of the page."""
    modules = [import_module(f"{figures.__name__}.{module.name}") for module in iter_modules(figures.__path__)]
    return sorted((module.FIGURE for module in modules), key=lambda figure: figure.order)


def collect(run: Run, query: Split, database: Split) -> None:
    """Write what the figures need of the images into the folder of a measured run."""
    for figure in all_figures():
        figure.collect(run, query, database)


def pictures(run: Run) -> dict[str, Path]:
    """PNG files that :func:`write_page` has written, by name, in the order of the page."""
    paths = {figure.name: run.picture(figure.name) for figure in all_figures()}
    return {name: path for name, path in paths.items() if path.is_file()}


def write_page(run: Run) -> Path:
    """Draw the figures of a measured run, and write a page with them inside; give its path.

    The page loads nothing from elsewhere and needs no script. Each figure leads to its PNG and to its numbers, which
    lie beside the page. What a run lacks (logs, labels, configuration) is left out; of figures, the page says why.
    """
    result = run.result()
    record = result.record
    heading = f"{record.method} on {record.data}, {record.bits} bits"
    parts = [f"<h1>{escape(heading)}</h1>", _facts(record), "<h2>Result</h2>", _result(result)]
    missing: list[tuple[str, str]] = []
    for section, group in groupby(all_figures(), key=lambda figure: figure.section):
        shown = []
        for figure in group:
            drawing = _written(run, figure)
            if isinstance(drawing, str):
                missing.append((figure.name.replace("_", " "), drawing))
            else:
                shown.append(figure.html(run, drawing))
        if shown:
            parts.append(f'<h2>{section}</h2>\n<div class="figures">\n' + "\n".join(shown) + "\n</div>")
    parts += [_missing(missing)] if missing else []
    parts += ["<h2>To do it again</h2>", _again(run, record)]
    run.write_page(document(heading, "\n".join(parts)))
    return run.page


def _written(run: Run, figure: RunFigure) -> Drawing | str:
    """Draw a figure, and write its picture and its numbers; no file is left of one that cannot be drawn."""
    picture, numbers = run.picture(figure.name), run.numbers(figure.name)
    with styled():
        drawing = figure.draw(run)
        if isinstance(drawing, str):
            picture.unlink(missing_ok=True)
            numbers.unlink(missing_ok=True)
            return drawing
        with atomic_write(picture) as aside:
            drawing.save(aside)
    with atomic_write(numbers) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(drawing.columns)
        writer.writerows(drawing.rows)
    return drawing


def document(title: str, body: str, style: str = "", script: str = "") -> str:
    """A page in our style, with everything inside, and which may load nothing.

    Args:
        title: As plain text.
        body: As HTML.
        style: More CSS.
        script: JavaScript that runs when the page is there; none where it is empty.
    """
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    policy += "; script-src 'unsafe-inline'" if script else ""
    common = files("softhash.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{common}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n"
        + (f"<script>\n{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def _facts(record: Record) -> str:
    facts = {
        "seed": record.seed,
        "training images": f"{record.counts['train']:,}",
        "queries": f"{record.counts['query']:,}",
        "database images": f"{record.counts['database']:,}",
        **{f"{what} time": duration(seconds) for what, seconds in record.seconds.items()},
        "commit": record.versions.get("commit", "")[:12],
        "protocol": record.checksum[:12],
    }
    items = (f"<li><b>{name}</b>{escape(str(value))}</li>" for name, value in facts.items() if value != "")
    return f'<ul class="facts">{"".join(items)}</ul>'


def _result(result: Result) -> str:
    """Table of the metrics; under each number a bar with the range over orders of ties, and a tick at the number."""
    head = "".join(f"<th>{escape(title(method))}</th>" for method in result.methods)
    lines = []
    for name in result.metrics:
        values = [result.scores[method.name].get(name) for method in result.methods]
        full = max(1.0, *(value["best"] for value in values if value))
        cells = "".join(_cell(value, full) if value else "<td></td>" for value in values)
        lines.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    lonely = result.queries_without_relevant
    note = (
        "Expected value over all orders of images at equal distance; the range is from the worst order to the best."
        " Chance is what random codes score."
        + (f" {lonely} queries have nothing relevant in the database and count as 0." if lonely else "")
    )
    return (
        f'<div class="card"><table><thead><tr><th>metric</th>{head}</tr></thead>'
        f'<tbody>{"".join(lines)}</tbody></table></div>\n<p class="soft">{note}</p>'
    )


def _cell(value: Mapping[str, float], full: float) -> str:
    worst, expected, best = (value[order] / full for order in ("worst", "expected", "best"))
    return (
        f"<td><strong>{value['expected']:.4f}</strong><small>{value['worst']:.4f} to {value['best']:.4f}</small>"
        f'<span class="bar"><i style="width:{worst:.1%}"></i>'
        f'<i class="ties" style="left:{worst:.1%};width:{best - worst:.1%}"></i>'
        f'<i class="mean" style="left:{expected:.1%}"></i></span></td>'
    )


def _missing(missing: Iterable[tuple[str, str]]) -> str:
    lines = (f"<li>{escape(name)}: {escape(why)}</li>" for name, why in missing)
    return f'<p class="soft">Figures that this run does not have</p><ul class="soft">{"".join(lines)}</ul>'


def _again(run: Run, record: Record) -> str:
    choices = [f"{name}={getattr(record, name)}" for name in ("method", "data", "bits", "seed")]
    commands = [
        f"softhash evaluate run={shlex.quote(str(run.folder))}   # every number, from the codes on disk",
        f"softhash train {shlex.join([*choices, *record.overrides])}   # all of it",
    ]
    protocol = {**record.counts, "checksum": record.checksum}
    config = run.config_text()
    return "\n".join(
        [
            f'<div class="card"><pre class="commands">{escape(chr(10).join(commands))}</pre>',
            _details("Protocol", _definitions(protocol.items())),
            _details("Versions", _definitions(record.versions.items())),
            _details("Configuration", f"<pre>{escape(config)}</pre>") if config else "",
            "</div>",
        ]
    )


def _details(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>{content}</details>"


def _definitions(items: Iterable[tuple[str, Any]]) -> str:
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in items)
    return f"<dl>{''.join(lines)}</dl>"
