from dataclasses import replace

import numpy as np
import pytest

from softhash.ranking.relevance import MatrixRelevance
from softhash.report.figures.distances import FIGURE, group_shared
from softhash.runs.folder import Run


def test_histograms_of_distances_each_sum_to_one(run: Run) -> None:
    run.write_curves({"mine/pairs": np.array([[100, 300], [300, 100], [0, 0]])})

    drawing = FIGURE.draw(run)
    (axes,) = drawing.figure.axes

    none, one = axes.lines
    assert list(drawing.rows) == [
        ("mine", "none", 0, 100), ("mine", "none", 1, 300), ("mine", "none", 2, 0),
        ("mine", "1", 0, 300), ("mine", "1", 1, 100), ("mine", "1", 2, 0),
    ]  # fmt: skip
    assert [none.get_ydata().tolist(), one.get_ydata().tolist()] == [[0.25, 0.75, 0], [0.75, 0.25, 0]]
    assert [none.get_label(), one.get_label()] == ["none (mean 0.8)", "1 (mean 0.2)"]


@pytest.mark.parametrize(
    ("counts", "names"),
    [
        ([400, 400, 99], ["none", "1 or more"]),
        ([400, 400, 100], ["none", "1", "2"]),
        ([400, 400, 60, 40], ["none", "1", "2 or more"]),
        ([400] * 8, ["none", "1", "2", "3", "4", "5 or more"]),
        ([400, 400, 400, 0], ["none", "1", "2"]),
        ([400], ["none"]),
    ],
)
def test_rare_and_high_numbers_of_shared_labels_make_one_curve(counts: list[int], names: list[str]) -> None:
    assert group_shared(np.array([counts]))[0] == names


def test_a_matrix_makes_two_curves(run: Run) -> None:
    run.write_relevance(MatrixRelevance(np.eye(20, 60)), np.array(["q"] * 20), np.array(["d"] * 60))
    run.write_curves({"mine/pairs": np.array([[400, 300], [300, 100]])})

    (axes,) = FIGURE.draw(run).figure.axes

    assert [line.get_label().partition(" (")[0] for line in axes.lines] == ["not similar", "similar"]


def test_nothing_is_drawn_where_no_method_ranks_by_hamming_distance(run: Run) -> None:
    run.write_curves({"mine/ranks": np.array([1])})

    assert FIGURE.draw(run) == "no method ranks by Hamming distance"


def test_the_first_two_methods_have_a_panel(run: Run) -> None:
    record = run.record()
    run.write_record(replace(record, methods=[*record.methods, record.methods[1]._replace(name="lsh")]))

    panels = FIGURE.draw(run).figure.axes

    assert [axes.get_title(loc="left") for axes in panels] == ["mine", "chance"]
