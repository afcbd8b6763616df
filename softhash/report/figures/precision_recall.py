"""Precision against recall as the Hamming radius grows."""

import numpy as np
from numpy.typing import NDArray

from softhash.report.drawing import Drawing, RunFigure, line_styles, single
from softhash.runs.folder import Arrays, Run

_NAMES = ("empty_balls", "radius_precision", "radius_recall")
_FEWEST_QUERIES = 0.5  # share of queries that must find something for a point of the curve


class PrecisionRecall(RunFigure):
    """A point per radius, from 0 to K; methods that rank by something else than Hamming distance are left out."""

    name, section, order = "precision_recall", "Retrieval", 20
    caption = (
        "Each point is a Hamming radius, from 0 at the left to all bits at the right; precision is the mean over"
        " queries that find something, where at least half do."
    )

    def draw(self, run: Run) -> Drawing | str:
        """One curve per method."""
        curves = run.curves()
        if not any(name.endswith("/radius_precision") for name in curves):
            return "no method ranks by Hamming distance"
        figure, axes = single("Precision and recall within each Hamming radius", "recall", "precision")
        rows: list[tuple[object, ...]] = []
        for method, style in line_styles(run.record().methods).items():
            if f"{method}/radius_precision" in curves:
                own = {name: curves[f"{method}/{name}"] for name in _NAMES}
                radii, recall, precision = precision_by_recall(own)
                axes.plot(recall, precision, marker=".", ms=5, **style)
                rows += [(method, *point) for point in zip(radii, recall, precision, strict=True)]
        axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
        axes.legend()
        return Drawing(figure, ["method", "radius in bits", "recall", "precision"], rows)


def precision_by_recall(curves: Arrays) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Radii within which at least half of the queries find something, their recall and precision, ``(P,)`` each."""
    answered = 1 - curves["empty_balls"]
    shown = answered >= _FEWEST_QUERIES
    return np.flatnonzero(shown), curves["radius_recall"][shown], curves["radius_precision"][shown] / answered[shown]


FIGURE = PrecisionRecall()
