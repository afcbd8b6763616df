"""The page of a run: one file with everything in it."""

import base64
import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from softhash.report import plots
from softhash.report.tables import measure_names, row_title
from softhash.runs.folder import read_arrays, read_json, read_log
from softhash.storage.atomic import atomic_write

_SECTIONS = {
    "What it finds": ("gallery",),
    "Retrieval": ("precision_recall", "precision_at"),
    "Codes": ("distances", "bits"),
    "Training": ("loss", "validation"),
}
_CAPTIONS = {
    "gallery": "Some queries, and the nearest images of the database with their distance in bits, nearest first."
    " Labels shared with the query are filled; a faded image is not relevant. Equal distances are in database order.",
    "precision_recall": "Each point is a Hamming radius, from 0 at the left to all bits at the right; precision is the"
    " mean over queries that find something, where at least half do.",
    "precision_at": "How pure the first N results are; among images at equal distance, the mean over their orders.",
    "distances": "Good graded codes put pairs nearer the more labels they share: the curves stand apart, in order.",
    "loss": "Each term with its weight, and their sum, which is minimised; the strong line is a running mean.",
    "validation": "The best epoch is chosen on these images, which are cut from the training set: never on queries.",
    "bits": "Bits carry most when half of the images have a 1 (left) and no two bits say the same (middle). Values near"
    " 0 (right) are bits that a small change of the image flips.",
}
_WIDE = ("distances", "bits", "validation")


def figures(folder: Path) -> dict[str, Path]:
    """The PNG files that :func:`write_page` has written, by name, in the order of the page."""
    names = [name for section in _SECTIONS.values() for name in section]
    return {name: path for name in names if (path := folder / "figures" / f"{name}.png").is_file()}


def write_page(folder: Path) -> Path:
    """Draw the figures of a run folder, and write ``index.html`` with them inside; give its path.

    The page loads nothing from elsewhere and needs no script. What a run lacks (logs, gallery, configuration)
    is left out.
    """
    result, run = read_json(folder / "metrics.json"), read_json(folder / "run.json")
    labels = read_arrays(folder / "codes" / "labels.npz")
    gallery = read_arrays(folder / "gallery.npz") if (folder / "gallery.npz").is_file() else {}
    if gallery:
        gallery["relevance"] = _relevance(gallery, labels)
    for name, figure in _draw(folder, result, gallery, labels).items():
        with atomic_write(folder / "figures" / f"{name}.png") as aside:
            figure.savefig(aside, dpi=150)
    shown = {name: _picture(name, path) for name, path in figures(folder).items()}
    if gallery:
        shown["gallery"] = _gallery(gallery, labels)
    title = f"{result['method']} on {result['data']}, {result['bits']} bits"
    parts = [f"<h1>{escape(title)}</h1>", _facts(result, run), "<h2>Result</h2>", _result(result)]
    for section, names in _SECTIONS.items():
        found = [shown[name] for name in names if name in shown]
        if found:
            parts.append(f'<h2>{section}</h2>\n<div class="figures">\n' + "\n".join(found) + "\n</div>")
    parts += ["<h2>To do it again</h2>", _again(folder, result, run)]
    path = folder / "index.html"
    with atomic_write(path) as aside:
        aside.write_text(_document(title, "\n".join(parts)), encoding="utf-8")
    return path


def _relevance(gallery: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """How relevant each image of the gallery is to its query: as given, else the number of shared labels."""
    queries, found = gallery["query_rows"], gallery["neighbour_rows"]
    if "grades" in labels:
        relevance: NDArray[Any] = labels["grades"][queries[:, None], found]
        return relevance
    shared: NDArray[Any] = (labels["query_labels"][queries][:, None] * labels["database_labels"][found]).sum(2)
    return shared


def _document(title: str, body: str) -> str:
    style = files("softhash.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _draw(
    folder: Path,
    result: Mapping[str, Any],
    gallery: Mapping[str, NDArray[Any]],
    labels: Mapping[str, NDArray[Any]],
) -> dict[str, Figure]:
    """The figures that the files of a run allow."""
    rows = list(result["rows"])
    curves, codes = read_arrays(folder / "curves.npz"), read_arrays(folder / "codes" / f"{result['method']}.npz")
    log = read_log(folder)
    drawn = {
        "precision_recall": plots.precision_recall_figure(curves, rows),
        "precision_at": plots.precision_at_figure(curves, rows),
        "distances": plots.distance_figure(
            curves, rows[:2], () if len(labels["class_names"]) else ("not similar", "similar")
        ),
        "bits": plots.bits_figure(codes["database"], codes["relaxed"], result["bits"]),
    }
    if any(name.startswith("train/") for name in log):
        drawn["loss"] = plots.loss_figure(log)
    if any(name.startswith("validation/") for name in log):
        drawn["validation"] = plots.validation_figure(log)
    if gallery:
        drawn["gallery"] = plots.gallery_figure(gallery, labels)
    return drawn


def _facts(result: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    counts = result["protocol"]["counts"]
    facts = {
        "seed": result["seed"],
        "training images": f"{counts['train']:,}",
        "queries": f"{counts['query']:,}",
        "database images": f"{counts['database']:,}",
        "time": _duration(run["seconds"]) if "seconds" in run else "",
        "commit": run["versions"].get("commit", "")[:12],
        "protocol": result["protocol"]["checksum"][:12],
    }
    items = (f"<li><b>{name}</b>{escape(str(value))}</li>" for name, value in facts.items() if value != "")
    return f'<ul class="facts">{"".join(items)}</ul>'


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s" if rest >= 60 else f"{rest} s"


def _result(result: Mapping[str, Any]) -> str:
    """Table of the measures; under each number a bar with the range over orders of ties, and a tick at the number."""
    head = "".join(f"<th>{escape(row_title(row))}</th>" for row in result["rows"])
    lines = []
    for name in measure_names(result):
        values = [row.get(name) for row in result["rows"].values()]
        full = max(1.0, *(value["best"] for value in values if value))
        cells = "".join(_cell(value, full) if value else "<td></td>" for value in values)
        lines.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    lonely = result["queries_without_relevant"]
    note = (
        "Expected value over all orders of images at equal distance; the range is from the worst order to the best."
        " Chance is what random codes score."
        + (f" {lonely} queries have nothing relevant in the database and count as 0." if lonely else "")
    )
    return (
        f'<div class="card"><table><thead><tr><th>measure</th>{head}</tr></thead>'
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


def _picture(name: str, path: Path) -> str:
    wide = " wide" if name in _WIDE else ""
    source = _data_uri("image/png", path.read_bytes())
    caption = escape(_CAPTIONS[name])
    return f'<figure class="plot{wide}"><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'


def _gallery(gallery: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]]) -> str:
    """Strips of thumbnails, a query and what it finds; on a narrow screen they scroll under the query."""
    names, strips = labels["class_names"], []
    for i, (query, found) in enumerate(zip(gallery["query_rows"], gallery["neighbour_rows"], strict=True)):
        own = labels["query_labels"][query] > 0
        items = [_thumbnail(gallery["query_images"][i], "query", names[own], [], "query")]
        for j, row in enumerate(found):
            theirs = labels["database_labels"][row] > 0
            kind = "" if gallery["relevance"][i, j] > 0 else "miss"
            title, shared = plots.neighbour_title(gallery, names, i, j), names[own & theirs]
            items.append(_thumbnail(gallery["neighbour_images"][i, j], title, shared, names[theirs & ~own], kind))
        strips.append(f'<div class="strip">{"".join(items)}</div>')
    caption = escape(_CAPTIONS["gallery"])
    return f'<figure class="wide">{"".join(strips)}<figcaption>{caption}</figcaption></figure>'


def _thumbnail(image: NDArray[np.uint8], title: str, shared: Sequence[str], others: Sequence[str], kind: str) -> str:
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, "WEBP", quality=85)
    marks = [f"<b>{escape(name)}</b>" for name in shared] + [escape(", ".join(others))] * (len(others) > 0)
    alt = escape(", ".join([*shared, *others]))
    return (
        f'<div class="{kind}"><img alt="{alt}" src="{_data_uri("image/webp", file.getvalue())}">'
        f"<small>{title}</small><p>{' '.join(marks)}</p></div>"
    )


def _again(folder: Path, result: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    commands = [f"softhash evaluate run={shlex.quote(str(folder))}   # every number, from the codes on disk"]
    if "overrides" in result:
        choices = [f"{name}={result[name]}" for name in ("method", "data", "bits", "seed")]
        commands.append(f"softhash train {shlex.join([*choices, *result['overrides']])}   # all of it")
    protocol = {**result["protocol"]["counts"], "checksum": result["protocol"]["checksum"]}
    config = folder / "config.yaml"
    return "\n".join(
        [
            f'<div class="card"><pre class="commands">{escape(chr(10).join(commands))}</pre>',
            _details("Protocol", _definitions(protocol.items())),
            _details("Versions", _definitions(run["versions"].items())),
            _details("Configuration", f"<pre>{escape(config.read_text())}</pre>") if config.is_file() else "",
            "</div>",
        ]
    )


def _details(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>{content}</details>"


def _definitions(items: Iterable[tuple[str, Any]]) -> str:
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in items)
    return f"<dl>{''.join(lines)}</dl>"


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
