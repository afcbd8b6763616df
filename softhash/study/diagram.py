"""The critical-difference diagram of Demsar, JMLR 2006."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from softhash.report.drawing import INK
from softhash.study.compare import Ranks
from softhash.study.ranks import cliques

_STEP = 0.22  # inches between two lines
_WIDTH = 5.2


def critical_difference_diagram(ranks: Ranks) -> Figure:
    """Methods on an axis of mean ranks, the best at the left; thick bars join those that do not differ."""
    methods, values = list(ranks.ranks), np.array(list(ranks.ranks.values()))
    joined = cliques(values, ranks.critical_difference)
    half = -(-len(methods) // 2)
    below = len(joined) * 0.5 + 0.6  # lines of bars, before the names begin
    depth = below + half
    figure = Figure(figsize=(_WIDTH, _STEP * (depth + 3.2)), layout="constrained")
    axes = figure.subplots()
    lowest, highest = 1, len(methods)
    axes.set(xlim=(lowest - 0.02, highest + 0.02), ylim=(depth, -2.4))
    axes.axis("off")
    _scale(axes, lowest, highest, ranks.critical_difference)
    for place, (method, value) in enumerate(zip(methods, values, strict=True)):
        left = place < half
        line = below + (place if left else len(methods) - 1 - place)
        edge = lowest if left else highest
        axes.plot([value, value, edge], [0, line, line], color=INK, lw=0.7, clip_on=False)
        text = f"{method} ({value:.2f}) " if left else f" ({value:.2f}) {method}"
        axes.text(edge, line, text, ha="right" if left else "left", va="center", clip_on=False)
    for number, (first, last) in enumerate(joined):
        height = 0.45 + number * 0.5
        axes.plot(values[[first, last]] + [-0.03, 0.03], [height] * 2, color=INK, lw=3, solid_capstyle="butt")
    return figure


def _scale(axes: Axes, lowest: int, highest: int, difference: float) -> None:
    """The axis of ranks, and above it how far apart they must be."""
    axes.plot([lowest, highest], [0, 0], color=INK, lw=1)
    for rank in range(lowest, highest + 1):
        axes.plot([rank, rank], [0, -0.25], color=INK, lw=1)
        axes.text(rank, -0.4, str(rank), ha="center", va="bottom")
    end = lowest + min(difference, highest - lowest)
    axes.plot([lowest, end], [-1.6, -1.6], color=INK, lw=1, marker="|", ms=5)
    axes.text((lowest + end) / 2, -1.75, f"critical difference {difference:.2f}", ha="center", va="bottom", fontsize=7)
