"""Precision against recall as the Hamming radius grows."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softhash.report.drawing import RunFigure, line_styles, single
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

    def draw(self, run: Run) -> Figure | None:
        """One curve per method."""
        curves = run.curves()
        figure, axes = single("Precision and recall within each Hamming radius", "recall", "precision")
        for method, style in line_styles(run.record().methods).items():
            if f"{method}/radius_precision" in curves:
                own = {name: curves[f"{method}/{name}"] for name in _NAMES}
                axes.plot(*precision_by_recall(own), marker=".", ms=5, **style)
        axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
        axes.legend()
        return figure


def precision_by_recall(curves: Arrays) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and precision of the radii within which at least half of the queries find something, ``(P,)`` each."""
    answered = 1 - curves["empty_balls"]
    shown = answered >= _FEWEST_QUERIES
    return curves["radius_recall"][shown], curves["radius_precision"][shown] / answered[shown]


FIGURE = PrecisionRecall()
