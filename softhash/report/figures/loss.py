"""Terms of the loss while training."""

from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from softhash.report.drawing import COLOURS, INK, Drawing, RunFigure, single
from softhash.runs.folder import Run


class Loss(RunFigure):
    """Each value faint, their running mean strong, the total in black."""

    name, section, order = "loss", "Training", 60
    caption = "Each term with its weight, and their sum, which is minimised; the strong line is a running mean."

    def draw(self, run: Run) -> Drawing | str:
        """A curve per term, over optimisation steps."""
        terms = {name[6:]: series for name, series in run.log().items() if name.startswith("train/")}
        if not terms:
            return "nothing was trained by gradient"
        names = [name for name in terms if name != "loss"]
        figure, axes = single("Loss terms while training", "step", "weighted value")
        colours = dict(zip(names, cycle(COLOURS), strict=False)) | {"loss": INK}
        for name in names if len(names) == 1 else terms:  # the sum of one term is that term
            steps, values = terms[name].steps, np.array(terms[name].values)
            axes.plot(steps, values, color=colours[name], lw=0.7, alpha=0.35)
            axes.plot(steps, running_mean(values), color=colours[name], label="sum" if name == "loss" else name)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.legend()
        rows = (
            (name, step, epoch, value)
            for name, series in terms.items()
            for step, epoch, value in zip(*series, strict=True)
        )
        return Drawing(figure, ["term", "step", "epoch", "weighted value"], rows)


def running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each value and its neighbours, a twentieth of the curve to either side, as far as there are any."""
    half = len(values) // 20
    totals = np.concatenate([[0.0], values.cumsum()])
    place = np.arange(len(values))
    start, stop = (place - half).clip(0), (place + half + 1).clip(max=len(values))
    mean: NDArray[np.float64] = (totals[stop] - totals[start]) / (stop - start)
    return mean


FIGURE = Loss()
