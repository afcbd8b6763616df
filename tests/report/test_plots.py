from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from softhash.report import plots
from softhash.runs.folder import Series, read_arrays


def drawn(lines: list) -> dict[str, list]:
    return {line.get_label(): line.get_xydata().tolist() for line in lines if not line.get_label().startswith("_")}


def test_loss_terms_are_lines_over_steps_with_their_sum() -> None:
    steps, epochs = [0, 9], [0, 0]
    log = {
        "train/loss": Series(steps, epochs, [2.0, 1.0]),
        "train/pair": Series(steps, epochs, [1.5, 0.5]),
        "train/quantization": Series(steps, epochs, [0.5, 0.5]),
        "validation/mAP": Series([9], [0], [0.5]),
    }

    figure = plots.loss_figure(log)

    assert drawn(figure.axes[0].lines) == {
        "sum": [[0, 2], [9, 1]],
        "pair": [[0, 1.5], [9, 0.5]],
        "quantization": [[0, 0.5], [9, 0.5]],
    }


def test_the_sum_of_a_single_term_is_not_drawn_twice() -> None:
    series = Series([0, 9], [0, 0], [2.0, 1.0])

    figure = plots.loss_figure({"train/loss": series, "train/pair": series})

    assert list(drawn(figure.axes[0].lines)) == ["pair"]


def test_a_long_loss_curve_is_smoothed_by_the_mean_of_its_neighbours() -> None:
    values = [float(i % 2) for i in range(40)]  # each point, two to its left and two to its right

    figure = plots.loss_figure({"train/pair": Series(list(range(40)), [0] * 40, values)})

    smooth = drawn(figure.axes[0].lines)["pair"]
    assert smooth[10] == [10, pytest.approx(2 / 5)]
    assert smooth[11] == [11, pytest.approx(3 / 5)]
    assert smooth[0] == [0, pytest.approx(1 / 3)]


def test_each_validation_measure_has_a_panel_over_epochs_that_names_its_best() -> None:
    log = {
        "validation/mAP": Series([5, 15], [1, 3], [0.5, 0.625]),
        "validation/WAP": Series([5, 15], [1, 3], [1.75, 1.5]),
        "train/loss": Series([5], [1], [1.0]),
    }

    panels = plots.validation_figure(log).axes

    assert [axes.get_title(loc="left") for axes in panels] == ["mAP", "WAP"]
    assert panels[0].lines[0].get_xydata().tolist() == [[2, 0.5], [4, 0.625]]
    assert ["0.625 at 4" in panels[0].get_xlabel(), "1.750 at 2" in panels[1].get_xlabel()] == [True, True]


def test_panels_without_a_measure_are_hidden() -> None:
    log = {f"validation/{name}": Series([5], [0], [0.5]) for name in "abcdef"}

    panels = plots.validation_figure(log).axes

    assert [axes.get_visible() for axes in panels] == [True] * 6 + [False] * 4


def test_curves_show_every_row(run: Path) -> None:
    curves = read_arrays(run / "curves.npz")

    figure = plots.precision_at_figure(curves, ["mine", "random"])

    lines = drawn(figure.axes[0].lines)
    assert list(lines) == ["mine", "chance"]
    np.testing.assert_allclose([y for _, y in lines["mine"]], curves["mine/rank_precision"])


def test_precision_within_a_radius_is_of_the_queries_that_find_something() -> None:
    curves = {
        "mine/empty_balls": np.array([0.75, 0.5, 0.0]),
        "mine/radius_precision": np.array([0.25, 0.375, 0.5]),
        "mine/radius_recall": np.array([0.1, 0.2, 1.0]),
    }

    figure = plots.precision_recall_figure(curves, ["mine"])

    assert drawn(figure.axes[0].lines) == {"mine": [[0.2, 0.75], [1.0, 0.5]]}


def test_histograms_of_distances_each_sum_to_one() -> None:
    pairs = np.array([[100, 300], [300, 100], [0, 0]])

    (axes,) = plots.distance_figure({"mine/pairs": pairs}, ["mine"]).axes

    none, one = axes.lines
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
    (axes,) = plots.distance_figure({"mine/pairs": np.array([counts])}, ["mine"]).axes

    assert [line.get_label().partition(" (")[0] for line in axes.lines] == names


def test_the_gallery_names_labels_and_colours_those_that_are_shared() -> None:
    labels = {
        "class_names": np.array(["cat", "dog"]),
        "query_labels": np.array([[1, 0]]),
        "database_labels": np.array([[1, 1], [0, 1]]),
    }
    gallery = {
        "query_rows": np.array([0]),
        "neighbour_rows": np.array([[0, 1]]),
        "query_images": np.zeros((1, 3, 4, 4), dtype=np.uint8),
        "neighbour_images": np.zeros((1, 2, 3, 4, 4), dtype=np.uint8),
        "distances": np.array([[1, 2]]),
        "relevance": np.array([[1, 0]]),
    }

    query, near, far = plots.gallery_figure(gallery, labels).axes

    def colours(axes: object) -> dict[str, tuple[float, ...]]:
        return {text.get_text(): to_rgb(text.get_color()) for text in axes.texts}

    assert list(colours(query)) == ["cat"]
    assert colours(near)["cat"] != colours(near)["dog"]
    assert colours(near)["dog"] == colours(far)["dog"]
    assert [axes.get_title() for axes in (query, near, far)] == ["query", "1 bit", "2 bits"]


def test_statistics_of_bits_are_written_into_the_titles() -> None:
    codes = np.packbits([[1, 1, 0], [0, 0, 1]], axis=1, bitorder="little")  # two copies and a mirror image: one bit

    figure = plots.bits_figure(codes, np.array([[1.0, 1.0, -1.0], [-1.0, -0.01, 1.0]], dtype=np.float32), bits=3)

    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    assert "entropy 1.00 of 1" in titles
    assert "1.0 effective bits of 3" in titles
    assert "16.7% near 0" in titles
    assert figure.axes[0].patches[0].get_height() == pytest.approx(0.5)
