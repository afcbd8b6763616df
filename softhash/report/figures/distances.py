"""Hamming distances of pairs by how relevant they are to each other."""

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from softhash.report.drawing import GREY, Drawing, RunFigure, panels
from softhash.report.tables import title
from softhash.runs.folder import Run

_METHODS = 2  # panels
_MOST_SHARED = 5  # more shared labels than this make one curve
_FEWEST_PAIRS = 100  # for a curve of its own


class Distances(RunFigure):
    """Distribution of Hamming distance among pairs that share 0, 1, 2, ... labels, a panel per method.

    The highest numbers make one curve, so that there are few and each is of at least 100 pairs. Where a matrix gives
    similarities, there are two curves: not similar, and similar.
    """

    name, section, order, wide = "distances", "Codes", 40, True
    caption = "Good graded codes put pairs nearer the more labels they share: the curves stand apart, in order."

    def draw(self, run: Run) -> Drawing | str:
        """A panel for each of the first methods."""
        curves, labels = run.curves(), bool(run.relevance.class_names)
        methods = [method for method in run.record().methods if f"{method.name}/pairs" in curves][:_METHODS]
        if not methods:
            return "no method ranks by Hamming distance"
        figure, places = panels(5.4, 3.5, len(methods))
        rows: list[tuple[object, ...]] = []
        for axes, method in zip(places, methods, strict=True):
            pairs = curves[f"{method.name}/pairs"]
            names, counts = group_shared(pairs) if labels else (["not similar", "similar"], pairs)
            distances = np.arange(len(counts))
            colours = [GREY, *colormaps["YlGnBu"](np.linspace(0.4, 1.0, max(1, len(names) - 1)))]
            for name, count, colour in zip(names, counts.T, colours, strict=False):
                rows += [(method.name, name, distance, int(number)) for distance, number in enumerate(count)]
                if count.sum():
                    share = count / count.sum()
                    axes.fill_between(distances, share, color=colour, alpha=0.12, lw=0)
                    axes.plot(distances, share, color=colour, label=f"{name} (mean {share @ distances:.1f})")
            axes.set(title=title(method), xlabel="Hamming distance in bits", ylim=(0, None))
            axes.set_ylabel("share of pairs")
            axes.legend(title="shared labels" if labels else None, alignment="left", fontsize=8.5)
        return Drawing(
            figure, ["method", "shared labels" if labels else "relevance", "distance in bits", "pairs"], rows
        )


def group_shared(pairs: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """Names and ``(K + 1, G)`` counts of groups of pairs by the number of labels that they share."""
    last = min(_MOST_SHARED, pairs.shape[1] - 1)
    while last > 1 and pairs[:, last:].sum() < _FEWEST_PAIRS:
        last -= 1
    counts = np.concatenate([pairs[:, :last], pairs[:, last:].sum(1, keepdims=True)], axis=1)
    open_end = " or more" if pairs[:, last + 1 :].any() else ""
    return ["none", *map(str, range(1, last)), f"{last}{open_end}"][: counts.shape[1]], counts


FIGURE = Distances()
