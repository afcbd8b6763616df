"""What is lost by keeping only the signs of relaxed codes."""

import torch
from matplotlib.figure import Figure
from torch import Tensor

from softhash.functional.codes import pack
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.normalized_discounted_cumulative_gain import NormalizedDiscountedCumulativeGain
from softhash.metrics.precision import Precision
from softhash.metrics.scores import quantization_gap
from softhash.report.drawing import BLUE, GREY, ORANGE, Drawing, RunFigure, axes_at, short
from softhash.report.tables import title
from softhash.runs.folder import Run
from softhash.types import Codes

_QUERIES = 200
_TOP = 100  # cut-off of what looks at the first images
_METHODS = 6  # at most
_FEWEST = 4  # relaxed codes
_NARROWEST = 0.05  # range of a metric's axis


class Quantization(RunFigure):
    """Metrics of relaxed codes and of their signs, among images of the database whose relaxed codes are kept."""

    name, section, order, wide = "quantization", "Codes", 52, True
    caption = (
        "Images of the database as queries among others of it, ranked by the inner product of relaxed codes, and by the"
        " Hamming distance of their signs: the way between the two is what the signs lose, or gain where the sizes of"
        " the values are misleading. A sample, so the numbers are not those of the table above."
    )

    def draw(self, run: Run) -> Drawing | str:
        """A panel for each metric, a line in it for each method."""
        relevance = run.relevance
        if relevance.labels is None:
            return "there are similarities in place of labels"
        gaps: dict[str, dict[str, tuple[float, float]]] = {}
        for method in run.record().methods:
            codes = run.codes(method.name)
            if len(gaps) < _METHODS and is_signs(codes):
                gaps[title(method)] = sampled_gap(codes, relevance.labels[1])
        if not gaps:
            return "no codes are the signs of relaxed ones, or there are too few of them"
        metrics = list(next(iter(gaps.values())))
        height = 0.32 * len(gaps)
        figure = Figure(figsize=(10.8, height + 1.05))
        width = 2.6
        for column, metric in enumerate(metrics):
            axes = axes_at(figure, 1.75 + column * (width + 0.4), 0.7, width, height)
            for place, gap in enumerate(gaps.values()):
                relaxed, signs = gap[metric]
                axes.plot([relaxed, signs], [place, place], color=GREY, lw=1.5, zorder=1)
                axes.plot(relaxed, place, "o", color=ORANGE, mfc="white", ms=7, label="relaxed codes" * (place == 0))
                axes.plot(signs, place, "o", color=BLUE, ms=7, label="signs" * (place == 0))
                axes.annotate(
                    f"{signs - relaxed:+.3f}",
                    (max(relaxed, signs), place),
                    (8, -3),
                    textcoords="offset points",
                    fontsize=8,
                )
            names = [short(name, 24) for name in gaps] if column == 0 else [""] * len(gaps)
            axes.set_yticks(range(len(gaps)), names)
            axes.set(title=metric, ylim=(len(gaps) - 0.5, -0.5))
            values = [value for gap in gaps.values() for value in gap[metric]]
            apart = max(_NARROWEST, max(values) - min(values))  # so that small gaps look small
            axes.set_xlim(min(values) - 0.1 * apart, min(values) + 1.35 * apart)
            axes.locator_params(axis="x", nbins=4)
        handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="lower left", ncols=2, bbox_to_anchor=(0, 0))
        rows = [(name, metric, *gap[metric]) for name, gap in gaps.items() for metric in metrics]
        return Drawing(figure, ["method", "metric", "relaxed codes", "their signs"], rows)


def is_signs(codes: Codes) -> bool:
    """Whether there are relaxed codes of some images, of which the signs are the codes that are compared."""
    if codes.relaxed_rows is None or len(codes.relaxed) < _FEWEST or codes.query.ndim == 3:
        return False
    return codes.relaxed.shape[1] == codes.bits and torch.equal(pack(codes.relaxed), codes.database[codes.relaxed_rows])


def sampled_gap(codes: Codes, labels: Tensor) -> dict[str, tuple[float, float]]:
    """Metrics of relaxed codes and of their signs: a part of the images, evenly spaced, are queries among the others.

    Args:
        codes: With relaxed codes.
        labels: ``(N, C)`` of the whole database.
    """
    count = len(codes.relaxed)
    queries = torch.arange(min(_QUERIES, count // 2)) * count // min(_QUERIES, count // 2)
    is_query = torch.zeros(count, dtype=torch.bool).index_fill(0, queries, value=True)
    own = labels[codes.relaxed_rows]
    top_k = min(_TOP, int((~is_query).sum()))
    metrics = [MeanAveragePrecision(), NormalizedDiscountedCumulativeGain(top_k), Precision(top_k)]
    parts = (codes.relaxed[is_query], own[is_query], codes.relaxed[~is_query], own[~is_query])
    return quantization_gap(metrics, *parts)


FIGURE = Quantization()
