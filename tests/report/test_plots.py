from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from softhash.report import plots
from softhash.report.folder import read_arrays


def test_the_log_of_a_resumed_run_counts_what_was_done_again_once(logged: Path) -> None:
    log = plots.read_log(logged)

    assert log == {"train/loss": ([0.0, 2.0], [3.0, 1.5]), "validation/mAP": ([1.0, 3.0], [0.5, 0.6])}


def test_loss_terms_are_lines_over_steps() -> None:
    figure = plots.loss_figure({"train/loss": ([0.0, 9.0], [2.0, 1.0]), "train/pair": ([0.0, 9.0], [1.5, 0.5])})

    lines = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines}
    assert lines == {"loss": [[0, 2], [9, 1]], "pair": [[0, 1.5], [9, 0.5]]}


def test_measures_that_exceed_one_have_an_axis_of_their_own() -> None:
    figure = plots.validation_figure({"validation/mAP": ([5.0], [0.5]), "validation/WAP": ([5.0], [1.7])})

    assert [[line.get_label() for line in axes.lines] for axes in figure.axes] == [["mAP"], ["WAP"]]


def test_curves_show_every_row(run: Path) -> None:
    curves = read_arrays(run / "curves.npz")

    figure = plots.precision_recall_figure(curves, ["mine", "random"])

    assert [line.get_label() for line in figure.axes[0].lines] == ["mine", "chance"]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), curves["mine/radius_recall"])


def test_histograms_of_distances_each_sum_to_one() -> None:
    pairs = np.array([[100, 300], [300, 100], [0, 0]])

    figure = plots.distance_figure(pairs)

    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == [[0.25, 0.75, 0], [0.75, 0.25, 0]]


def test_rare_numbers_of_shared_labels_are_not_shown() -> None:
    figure = plots.distance_figure(np.array([[100, 300, 99], [300, 100, 0]]))

    assert [line.get_label() for line in figure.axes[0].lines] == ["none", "1"]


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

    titles = " ".join(axes.get_title() for axes in figure.axes)
    assert "entropy 1.00 of 1" in titles
    assert "1.0 effective bits of 3" in titles
    assert "16.7% near 0" in titles
    assert figure.axes[0].patches[0].get_height() == pytest.approx(0.5)
