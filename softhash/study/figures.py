"""Figures of a study, for papers: a metric by code length, curves, and mean ranks."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from softhash.report.drawing import COLOURS, GREY, styled
from softhash.report.figures.precision_recall import precision_by_recall
from softhash.runs.folder import Arrays
from softhash.storage.atomic import atomic_write
from softhash.study.collect import Cell, Study
from softhash.study.compare import Ranks
from softhash.study.diagram import critical_difference_diagram
from softhash.study.table import Block

SUFFIXES = (".pdf", ".svg", ".png")
_MOST = 10  # methods in one figure: with more, lines cannot be told apart
_MARKERS, _DASHES = "osD^vPX<>*", ("-", "--", "-.", ":")
_WIDTH, _HEIGHT, _IN_A_ROW = 2.6, 2.2, 3  # inches of a panel
_APART = 0.012  # of the range of code lengths: between the points of two methods
_PAPER: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "normal",
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # letters that stay letters, as publishers ask for
    "svg.hashsalt": "softhash",
}
_WITHOUT_DATE: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {}}

Styles = dict[str, dict[str, Any]]
Panel = Callable[[Axes], None]


class Drawn(NamedTuple):
    """A figure, what it shows, and its name."""

    name: str
    caption: str
    figure: Figure


def write_figures(
    folder: Path, study: Study, blocks: Sequence[Block], curves: Mapping[Cell, Arrays], ranks: Sequence[Ranks]
) -> dict[str, str]:
    """Draw all figures and write each as PDF, SVG and PNG.

    Args:
        folder: Where to.
        study: The runs.
        blocks: Their tables.
        curves: Their curves by cell.
        ranks: By metric.

    Returns:
        Captions by name of the file, without its suffix.
    """
    captions: dict[str, str] = {}
    with styled(), rc_context(_PAPER):
        for name, caption, figure in _figures(study, blocks, curves, ranks):
            slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
            while slug in captions:
                slug += "-2"
            captions[slug] = caption
            for suffix in SUFFIXES:
                with atomic_write(folder / f"{slug}{suffix}") as aside:
                    figure.savefig(aside, dpi=200, bbox_inches="tight", metadata=_WITHOUT_DATE[suffix])
    return captions


def shown_methods(study: Study) -> list[str]:
    """Methods of the figures: the first ones of the tables, and random codes."""
    return [
        *[method for method in study.methods if method not in study.chance][:_MOST],
        *[method for method in study.methods if method in study.chance],
    ]


def _figures(
    study: Study, blocks: Sequence[Block], curves: Mapping[Cell, Arrays], ranks: Sequence[Ranks]
) -> Iterator[Drawn]:
    styles = _styles(study)
    less = f" The first {len(styles)} methods of the tables." if len(styles) < len(study.methods) else ""
    for metric in study.metrics:
        several = [one for one in blocks if one.metric == metric and len(one.bits) > 1]
        if several:
            caption = f"{metric} by code length: mean, and standard deviation over seeds.{less}"
            panels = {one.data: partial(_by_bits, one, styles) for one in several}
            yield Drawn(f"by-bits-{metric}", caption, _panels(panels, "bits", metric))
    for data in study.data:
        of_bits = {
            f"{bits} bits": {cell.method: curves[cell] for cell in curves if (cell.data, cell.bits) == (data, bits)}
            for bits in study.bits(data)
        }
        caption = "precision and recall within each Hamming radius, where at least half of the queries find something."
        panels = {bits: partial(_precision_recall, of_methods, styles) for bits, of_methods in of_bits.items()}
        yield Drawn(f"precision-recall-{data}", f"{data}: {caption}{less}", _panels(panels, "recall", "precision"))
        caption = "precision of the first N images, expected over orders of ties."
        panels = {bits: partial(_precision_at, of_methods, styles) for bits, of_methods in of_bits.items()}
        yield Drawn(f"precision-at-{data}", f"{data}: {caption}{less}", _panels(panels, "N", "precision"))
    for one in ranks:
        caption = (
            f"Mean ranks by {one.metric} over {one.blocks:,} {one.over}; smaller is better. Methods joined by a bar do"
            f" not differ by Nemenyi's test; the critical difference is {one.critical_difference:.2f}."
        )
        yield Drawn(f"ranks-{one.metric}", caption, critical_difference_diagram(one))


def _styles(study: Study) -> Styles:
    """Line of each method: colour, marker and dash, so that they can be told apart without colours too."""
    styles: Styles = {}
    lines = zip(cycle(COLOURS), cycle(_MARKERS), cycle(_DASHES[:1] * len(COLOURS) + _DASHES[1:2] * len(COLOURS)))
    for method, (colour, marker, dash) in zip(shown_methods(study), lines, strict=False):
        chance = method in study.chance
        styles[method] = {
            "label": method,
            "color": GREY if chance else colour,
            "marker": "" if chance else marker,
            "ls": ":" if chance else dash,
        }
    return styles


def _panels(panels: Mapping[str, Panel], xlabel: str, ylabel: str) -> Figure:
    """Panels side by side, by their headings, above one legend."""
    columns = min(_IN_A_ROW, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(_WIDTH * columns + 0.3, _HEIGHT * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for place, (axes, (heading, panel)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        panel(axes)
        axes.set(title=heading, xlabel=xlabel, ylabel=ylabel if place % columns == 0 else "")
    for axes in list(grid.flat)[len(panels) :]:
        axes.remove()
    lines = {label: line for axes in figure.axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=min(len(lines) or 1, 2 * columns))
    return figure


def _by_bits(block: Block, styles: Styles, axes: Axes) -> None:
    lines = [line for line in block.lines if line.method in styles]
    step = _APART * (block.bits[-1] - block.bits[0])
    for place, line in enumerate(lines):
        bits = sorted(line.values)
        means, spreads = [line.mean(one) for one in bits], [line.spread(one) or 0.0 for one in bits]
        beside = [one + step * (place - (len(lines) - 1) / 2) for one in bits]  # so that bars do not hide each other
        axes.errorbar(beside, means, yerr=spreads, capsize=1.5, elinewidth=0.8, **styles[line.method])
    axes.set_xticks(block.bits)


def _precision_recall(curves: Mapping[str, Arrays], styles: Styles, axes: Axes) -> None:
    for method, style in styles.items():
        if "radius_precision" in curves.get(method, {}):
            axes.plot(*precision_by_recall(curves[method])[1:], **style | {"ms": 2})
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))


def _precision_at(curves: Mapping[str, Arrays], styles: Styles, axes: Axes) -> None:
    for method, style in styles.items():
        if "ranks" in curves.get(method, {}):
            axes.plot(curves[method]["ranks"], curves[method]["rank_precision"], **style | {"marker": ""})
    axes.set(xscale="log", ylim=(0, 1.01))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
