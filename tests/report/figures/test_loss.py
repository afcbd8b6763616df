from collections.abc import Callable

import numpy as np
import pytest

from softhash.report.figures.loss import FIGURE, running_mean
from softhash.runs.folder import Run

WriteLog = Callable[[Run, list[dict[str, float]]], None]


def curves(run: Run) -> dict[str, list]:
    lines = FIGURE.draw(run).figure.axes[0].lines
    return {line.get_label(): line.get_xydata().tolist() for line in lines if not line.get_label().startswith("_")}


def test_loss_terms_are_lines_over_steps_with_their_sum(run: Run, write_log: WriteLog) -> None:
    terms = [
        {"train/loss": 2.0, "train/pair": 1.5, "train/quantization": 0.5},
        {"train/loss": 1.0, "train/pair": 0.5, "train/quantization": 0.5},
    ]
    write_log(run, [{"epoch": 0, "step": step, **values} for step, values in zip((0, 9), terms, strict=True)])

    assert curves(run) == {
        "sum": [[0, 2], [9, 1]],
        "pair": [[0, 1.5], [9, 0.5]],
        "quantization": [[0, 0.5], [9, 0.5]],
    }


def test_the_sum_of_a_single_term_is_not_drawn_twice(run: Run, write_log: WriteLog) -> None:
    write_log(run, [{"epoch": 0, "step": step, "train/loss": 2.0, "train/pair": 2.0} for step in (0, 9)])

    assert list(curves(run)) == ["pair"]


def test_a_long_curve_is_smoothed_by_the_mean_of_its_neighbours() -> None:
    smooth = running_mean(np.array([float(i % 2) for i in range(40)]))  # each, two to its left and two to its right

    assert smooth[[10, 11, 0]] == pytest.approx([2 / 5, 3 / 5, 1 / 3])


def test_the_numbers_are_the_values_of_each_term(run: Run, write_log: WriteLog) -> None:
    write_log(run, [{"epoch": 1, "step": 7, "train/loss": 2.0, "train/pair": 1.5, "train/quantization": 0.5}])

    drawing = FIGURE.draw(run)

    assert drawing.columns == ["term", "step", "epoch", "weighted value"]
    assert sorted(drawing.rows) == [("loss", 7, 1, 2.0), ("pair", 7, 1, 1.5), ("quantization", 7, 1, 0.5)]


def test_nothing_is_drawn_where_nothing_was_trained(run: Run) -> None:
    assert FIGURE.draw(run) == "nothing was trained by gradient"
