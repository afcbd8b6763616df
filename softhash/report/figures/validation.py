"""Metrics of the validation images over epochs."""

import numpy as np
from matplotlib.figure import Figure

from softhash.report.drawing import BLUE, ORANGE, RunFigure
from softhash.runs.folder import Run

_COLUMNS = 5


class Validation(RunFigure):
    """A panel per metric; a dot marks the best epoch."""

    name, section, order, wide = "validation", "Training", 70, True
    caption = "The best epoch is chosen on these images, which are cut from the training set: never on queries."

    def draw(self, run: Run) -> Figure | None:
        """Panels in lines of five; None where nothing was trained."""
        metrics = {name[11:]: series for name, series in run.log().items() if name.startswith("validation/")}
        if not metrics:
            return None
        columns = min(_COLUMNS, len(metrics))
        lines = -(-len(metrics) // columns)
        figure = Figure(figsize=(10.8, 0.4 + 2.2 * lines), layout="constrained")
        panels = list(figure.subplots(lines, columns, squeeze=False, sharex=True).flat)
        for axes, (name, series) in zip(panels, metrics.items(), strict=False):
            epochs, best = [epoch + 1 for epoch in series.epochs], int(np.argmax(series.values))
            axes.plot(epochs, series.values, color=BLUE)
            axes.plot(epochs[best], series.values[best], "o", color=ORANGE, ms=5)
            axes.set_title(name)
            axes.set_xlabel(f"epoch (best: {series.values[best]:.3f} at {epochs[best]:.0f})", fontsize=8.5)
        for axes in panels[len(metrics) :]:
            axes.set_visible(False)
        figure.suptitle("Validation images, each a query against the others", x=0.008, ha="left", fontsize=9.5)
        return figure


FIGURE = Validation()
