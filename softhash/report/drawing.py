"""What the figures of a run page share: what a figure is, and how plots look."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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


class RunFigure(ABC):
    """One figure of the page: a module of :mod:`softhash.report.figures` has one, as ``FIGURE``.

    Attributes:
        name: Of its file and in loggers.
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

    @abstractmethod
    def draw(self, run: Run) -> Figure | None:
        """The figure; None where the run lacks what it shows."""

    def html(self, run: Run) -> str:
        """How it stands on the page, once its picture is written."""
        wide, caption = " wide" if self.wide else "", escape(self.caption)
        source = data_uri("image/png", run.picture(self.name).read_bytes())
        return f'<figure class="plot{wide}"><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'


def data_uri(mime: str, content: bytes) -> str:
    """Content that stands inside of a page, not beside it."""
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def single(heading: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """A figure of half the page's width with one panel."""
    figure = Figure(figsize=(5.4, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.set(title=heading, xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def line_styles(methods: Sequence[Method]) -> dict[str, dict[str, Any]]:
    """Line of each method by its name: the first is strongest, chance comes last and is grey."""
    styles = [{"color": colour, "lw": 1.5} for colour in COLOURS[1 : len(methods) - 1]]
    lines = [{"color": BLUE, "lw": 2.2}, *styles, {"color": GREY, "lw": 1.3, "ls": "--"}]
    return {method.name: {"label": title(method), **line} for method, line in zip(methods, lines, strict=False)}
