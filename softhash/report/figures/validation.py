"""Metrics of the validation images over epochs."""

import numpy as np

from softhash.report.drawing import BLUE, ORANGE, Drawing, RunFigure, panels
from softhash.runs.folder import Run

_COLUMNS = 5


class Validation(RunFigure):
    """A panel per metric; a dot marks the best epoch."""

    name, section, order, wide = "validation", "Training", 70, True
    caption = "The best epoch is chosen on these images, which are cut from the training set: never on queries."

    def draw(self, run: Run) -> Drawing | str:
        """Panels in lines of five."""
        metrics = {name[11:]: series for name, series in run.log().items() if name.startswith("validation/")}
        if not metrics:
            return "nothing was trained by gradient"
        columns = min(_COLUMNS, len(metrics))
        lines = -(-len(metrics) // columns)
        figure, places = panels(10.8 / columns, 2.2, columns, lines, left=0.5, above=0.3)
        for axes, (name, series) in zip(places, metrics.items(), strict=False):
            epochs, best = [epoch + 1 for epoch in series.epochs], int(np.argmax(series.values))
            axes.plot(epochs, series.values, color=BLUE)
            axes.plot(epochs[best], series.values[best], "o", color=ORANGE, ms=5)
            axes.set_title(name)
            axes.set_xlabel(f"epoch (best: {series.values[best]:.3f} at {epochs[best]:.0f})", fontsize=8.5)
        for axes in places[len(metrics) :]:
            axes.set_visible(False)
        heading = "Validation images, each a query against the others"
        figure.text(0.008, 1 - 0.08 / figure.get_figheight(), heading, va="top")
        rows = (
            (name, step, epoch + 1, value)
            for name, series in metrics.items()
            for step, epoch, value in zip(*series, strict=True)
        )
        return Drawing(figure, ["metric", "step", "epoch", "value"], rows)


FIGURE = Validation()
