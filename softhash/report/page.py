"""The page of a run: one file with everything in it."""

import base64
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from softhash.functional.files import replacing
from softhash.report import plots
from softhash.report.folder import read_arrays, read_json

_CAPTIONS = {
    "gallery": "Some queries and the ten nearest images of the database, nearest first; equal distances in database"
    " order. A green frame shares a label with the query; shared labels are green, others grey.",
    "precision_recall": "Each point is a Hamming radius. A search within radius 2, as hash tables do it, is the third point.",
    "precision_at": "How pure the first N results are. Where images are at equal distance, the mean over their orders.",
    "distances": "Good graded codes put pairs that share more labels nearer: the curves separate in order.",
    "loss": "Each term with its weight; their sum is minimised.",
    "validation": "The best epoch is chosen here, never on queries.",
    "bits": "Bits that are balanced and uncorrelated carry most. Values near 0 are bits that a small change would flip.",
}
_WIDE = ("gallery", "bits", "validation")


def figures(folder: Path) -> dict[str, Path]:
    """The PNG files that :func:`write_page` has written, by name, in the order of the page."""
    found = {name: folder / "figures" / f"{name}.png" for name in _CAPTIONS}
    return {name: path for name, path in found.items() if path.is_file()}


def write_page(folder: Path) -> Path:
    """Draw the figures of a run folder, and write ``index.html`` with them inside; give its path.

    The page loads nothing from elsewhere. What a run lacks (logs, gallery) is left out.
    """
    result, run = read_json(folder / "metrics.json"), read_json(folder / "run.json")
    for name, figure in _draw(folder, result).items():
        with replacing(folder / "figures" / f"{name}.png") as aside:
            figure.savefig(aside, dpi=150)
    config = folder / "config.yaml"
    style = files("softhash.report").joinpath("page.css").read_text()
    title = f"{result['method']} on {result['data']}, {result['bits']} bits"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _facts(result, run),
        "<h2>Result</h2>",
        _table(result),
        '<div class="figures" style="margin-top:18px">',
        *(_figure(name, path) for name, path in figures(folder).items()),
        "</div>",
        "<h2>To do it again</h2>",
        f'<div class="card"><code>softhash evaluate run={escape(str(folder))}</code> computes every number from the codes on disk.',
        _details(
            "Protocol and versions",
            _lines({**result["protocol"]["counts"], "checksum": result["protocol"]["checksum"]} | run["versions"]),
        ),
        _details("Configuration", config.read_text()) if config.is_file() else "",
        "</div>",
    ]
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )
    path = folder / "index.html"
    with replacing(path) as aside:
        aside.write_text(page, encoding="utf-8")
    return path


def _draw(folder: Path, result: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures that the files of a run allow."""
    method, rows = result["method"], list(result["rows"])
    labels, curves = read_arrays(folder / "codes" / "labels.npz"), read_arrays(folder / "curves.npz")
    codes, log = read_arrays(folder / "codes" / f"{method}.npz"), plots.read_log(folder)
    drawn = {
        "precision_recall": plots.precision_recall_figure(curves, rows),
        "precision_at": plots.precision_at_figure(curves, rows),
        "distances": plots.distance_figure(curves[f"{method}/pairs"]),
        "bits": plots.bits_figure(codes["database"], codes["relaxed"], result["bits"]),
    }
    if any(name.startswith("train/") for name in log):
        drawn["loss"] = plots.loss_figure(log)
    if any(name.startswith("validation/") for name in log):
        drawn["validation"] = plots.validation_figure(log)
    if (folder / "gallery.npz").is_file():
        drawn["gallery"] = plots.gallery_figure(read_arrays(folder / "gallery.npz"), labels)
    return drawn


def _facts(result: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    counts = result["protocol"]["counts"]
    facts = {
        "seed": result["seed"],
        "queries": f"{counts['query']:,}",
        "database": f"{counts['database']:,}",
        "training images": f"{counts['train']:,}",
        "queries with nothing relevant": result["queries_without_relevant"],
        "time": f"{run['seconds']:.0f} s" if "seconds" in run else "",
        "commit": run["versions"].get("commit", "")[:12],
        "protocol": result["protocol"]["checksum"][:12],
    }
    items = (f"<li><b>{escape(name)}</b>{escape(str(value))}</li>" for name, value in facts.items() if value != "")
    return f'<ul class="facts">{"".join(items)}</ul>'


def _table(result: Mapping[str, Any]) -> str:
    titles = {"random": "chance (random codes)", "lsh": "LSH, untrained features"}
    head = "".join(f"<th>{escape(titles.get(row, row))}</th>" for row in result["rows"])
    lines = []
    for name in next(iter(result["rows"].values())):
        cells = "".join(_cell(values.get(name)) for values in result["rows"].values())
        lines.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    note = "Expected value over all orders of images at equal distance; below it, from the worst order to the best."
    return (
        f'<div class="card"><table><thead><tr><th>measure</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
        f'<p class="soft">{note}</p>'
    )


def _cell(value: Mapping[str, float] | None) -> str:
    if value is None:
        return "<td></td>"
    return (
        f"<td><strong>{value['expected']:.4f}</strong><small>{value['worst']:.4f} to {value['best']:.4f}</small></td>"
    )


def _figure(name: str, path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    wide = ' class="wide"' if name in _WIDE else ""
    caption = escape(_CAPTIONS[name])
    return f'<figure{wide}><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def _details(title: str, text: str) -> str:
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in values.items())
