import numpy as np

from softhash.report.figures.precision_recall import FIGURE
from softhash.runs.folder import Run


def test_precision_within_a_radius_is_of_the_queries_that_find_something(run: Run) -> None:
    run.write_curves(
        {
            "mine/empty_balls": np.array([0.75, 0.5, 0.0]),
            "mine/radius_precision": np.array([0.25, 0.375, 0.5]),
            "mine/radius_recall": np.array([0.1, 0.2, 1.0]),
        }
    )

    drawing = FIGURE.draw(run)
    (line,) = drawing.figure.axes[0].lines

    assert line.get_label() == "mine"
    assert line.get_xydata().tolist() == [[0.2, 0.75], [1.0, 0.5]]
    assert drawing.rows == [("mine", 1, 0.2, 0.75), ("mine", 2, 1.0, 0.5)]
