"""Precision of the first N images."""

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from softhash.report.drawing import RunFigure, line_styles, single
from softhash.runs.folder import Run


class PrecisionAt(RunFigure):
    """Expected over the order of ties."""

    name, section, order = "precision_at", "Retrieval", 30
    caption = "How pure the first N results are; among images at equal distance, the mean over their orders."

    def draw(self, run: Run) -> Figure | None:
        """One curve per method."""
        curves = run.curves()
        figure, axes = single("Precision of the first N images", "N", "precision")
        for method, style in line_styles(run.record().methods).items():
            axes.plot(curves[f"{method}/ranks"], curves[f"{method}/rank_precision"], **style)
        axes.set(xscale="log", ylim=(0, 1.01))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend()
        return figure


FIGURE = PrecisionAt()
