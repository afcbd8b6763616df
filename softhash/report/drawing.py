"""What the figures of a run page share: what a figure is, and how plots look."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from html import escape
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.Image import Image

from softhash.data.base import Split
from softhash.report.tables import title
from softhash.runs.folder import Method, Run

# Okabe and Ito's colours, which people with any colour vision tell apart.
BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#8a8a8a", "#222222"
COLOURS = (BLUE, "#E69F00", "#009E73", ORANGE, "#CC79A7", "#56B4E9")


def styled() -> AbstractContextManager[None]:
    """The style of all figures, while they are drawn and saved."""
    return rc_context(
        {
            "font.size": 9.5,
            "text.color": INK,
            "text.parse_math": False,  # names of classes may hold dollar signs
            "axes.labelcolor": INK,
            "axes.edgecolor": "#b0b0b0",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlesize": 10.5,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "grid.color": "#e8e8e8",
            "grid.linewidth": 0.7,
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "xtick.color": "#555555",
            "ytick.color": "#555555",
        }
    )


class Drawing(NamedTuple):
    """A figure, and what it shows in numbers.

    Attributes:
        figure: For people; one of many pictures is a picture itself.
        columns: Names of the columns of its numbers.
        rows: Its numbers, for programs.
        instead: HTML that stands on the page in place of the picture.
        below: HTML that stands below the caption.
    """

    figure: Figure | Image
    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    instead: str = ""
    below: str = ""

    def save(self, path: Path) -> None:
        """Write the figure as PNG, compressed little: a tenth larger, in half the time."""
        if isinstance(self.figure, Figure):
            self.figure.savefig(path, dpi=150, pil_kwargs={"compress_level": 1})
        else:
            self.figure.save(path, compress_level=1)


class RunFigure(ABC):
    """One figure of the page: a module of :mod:`softhash.report.figures` has one, as ``FIGURE``.

    Attributes:
        name: Of its files and in loggers.
        section: Heading of the page under which it stands.
        caption: What it shows and how to read it.
        order: Place on the page, ascending.
        wide: It takes the whole width of the page.
    """

    name: str
    section: str
    caption: str
    order: int
    wide: bool = False

    def collect(self, run: Run, query: Split, database: Split) -> None:
        """Write what it needs of the images into the folder of a measured run, before they are out of reach."""
        del run, query, database  # most need nothing

    @abstractmethod
    def draw(self, run: Run) -> Drawing | str:
        """The figure; or why there is none, as the end of a sentence."""

    def html(self, run: Run, drawing: Drawing) -> str:
        """How it stands on the page, once its files are written, with links to them."""
        picture, numbers = run.picture(self.name), run.numbers(self.name)
        wide, plot, caption = " wide" * self.wide, "" if drawing.instead else " plot", escape(self.caption)
        shown = drawing.instead or f'<img alt="{caption}" src="{data_uri("image/png", picture.read_bytes())}">'
        links = " ".join(
            f'<a href="{path.relative_to(run.folder).as_posix()}">{text}</a>'
            for path, text in ((picture, "PNG"), (numbers, "CSV"))
        )
        return (
            f'<figure class="{f"{plot}{wide}".strip()}" id="{self.name}">{shown}'
            f'<figcaption>{caption} <span class="files">{links}</span></figcaption>{drawing.below}</figure>'
        )


def data_uri(mime: str, content: bytes) -> str:
    """Content that stands inside of a page, not beside it."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def single(heading: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """A figure of half the page's width with one panel."""
    figure, (axes,) = panels(5.4, 3.5)
    axes.set(title=heading, xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def panels(
    width: float,
    height: float,
    columns: int = 1,
    rows: int = 1,
    *,
    left: float = 0.65,
    right: float = 0.15,
    top: float = 0.32,
    bottom: float = 0.5,
    above: float = 0.0,
    aside: float = 0.0,
) -> tuple[Figure, list[Axes]]:
    """A figure of equal panels with fixed margins, which takes half of the time that a computed layout does.

    Args:
        width: Inches of a panel with its margins.
        height: The same.
        columns: Panels side by side.
        rows: Panels below each other.
        left: Inches of a panel left of its axes; so are ``right``, ``top`` and ``bottom``.
        right: See ``left``.
        top: See ``left``.
        bottom: See ``left``.
        above: Inches above all panels.
        aside: Inches to the right of all panels.

    Returns:
        The figure, and its panels row by row.
    """
    figure = Figure(figsize=(width * columns + aside, height * rows + above))
    size = width - left - right, height - top - bottom
    corners = (
        (column * width + left, (rows - 1 - row) * height + bottom)
        for row, column in product(range(rows), range(columns))
    )
    return figure, [axes_at(figure, *corner, *size) for corner in corners]


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place that is given in inches, without their labels."""
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / down, width / across, height / down))


def short(name: str, most: int = 20) -> str:
    """A name that fits beside axes.

    Example:
        >>> short("a rather long name of a label", 12)
        'a rather lo…'
    """
    return name if len(name) <= most else f"{name[: most - 1]}…"


def line_styles(methods: Sequence[Method]) -> dict[str, dict[str, Any]]:
    """Line of each method by its name: the first is strongest, chance comes last and is grey."""
    styles = [{"color": colour, "lw": 1.5} for colour in COLOURS[1 : len(methods) - 1]]
    lines = [{"color": BLUE, "lw": 2.2}, *styles, {"color": GREY, "lw": 1.3, "ls": "--"}]
    return {method.name: {"label": title(method), **line} for method, line in zip(methods, lines, strict=False)}
