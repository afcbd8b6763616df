import numpy as np

from softhash.report.figures.precision_at import FIGURE
from softhash.runs.folder import Run


def test_every_method_has_a_curve(run: Run) -> None:
    drawing = FIGURE.draw(run)
    lines = {line.get_label(): line for line in drawing.figure.axes[0].lines}

    assert list(lines) == ["mine", "chance"]
    np.testing.assert_allclose(lines["mine"].get_ydata(), run.curves()["mine/rank_precision"])
    assert ("random", 60, run.curves()["random/rank_precision"][-1]) in drawing.rows


def test_ranks_are_written_as_numbers(run: Run) -> None:
    axes = FIGURE.draw(run).figure.axes[0]

    assert axes.xaxis.get_major_formatter()(1000) == "1,000"
