import numpy as np

from softhash.report.figures.precision_at import FIGURE
from softhash.runs.folder import Run


def test_every_method_has_a_curve(run: Run) -> None:
    lines = {line.get_label(): line for line in FIGURE.draw(run).axes[0].lines}

    assert list(lines) == ["mine", "chance"]
    np.testing.assert_allclose(lines["mine"].get_ydata(), run.curves()["mine/rank_precision"])


def test_ranks_are_written_as_numbers(run: Run) -> None:
    axes = FIGURE.draw(run).axes[0]

    assert axes.xaxis.get_major_formatter()(1000) == "1,000"
