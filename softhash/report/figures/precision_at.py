"""Precision of the first N images."""

from matplotlib.ticker import NullFormatter, StrMethodFormatter

from softhash.report.drawing import Drawing, RunFigure, line_styles, single
from softhash.runs.folder import Run


class PrecisionAt(RunFigure):
    """Expected over the order of ties."""

    name, section, order = "precision_at", "Retrieval", 30
    caption = "How pure the first N results are; among images at equal distance, the mean over their orders."

    def draw(self, run: Run) -> Drawing:
        """One curve per method."""
        curves = run.curves()
        figure, axes = single("Precision of the first N images", "N", "precision")
        rows = []
        for method, style in line_styles(run.record().methods).items():
            ranks, precision = curves[f"{method}/ranks"], curves[f"{method}/rank_precision"]
            axes.plot(ranks, precision, **style)
            rows += [(method, *point) for point in zip(ranks, precision, strict=True)]
        axes.set(xscale="log", ylim=(0, 1.01))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend()
        return Drawing(figure, ["method", "N", "precision"], rows)


FIGURE = PrecisionAt()
