import numpy as np
import pytest
import torch

from softhash.ranking.relevance import LabelRelevance, MatrixRelevance
from softhash.report.figures.neighbourhoods import FIGURE, principal_components, rarest_of_frequent
from softhash.runs.folder import Run


def test_principal_components_are_those_of_a_singular_value_decomposition() -> None:
    values = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32) * np.arange(1, 7)

    components, shares = principal_components(values, most=4)

    centred = values.astype(float) - values.mean(0, dtype=float)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(components), np.abs(left[:, :4] * sizes[:4]), atol=1e-5)
    np.testing.assert_allclose(shares, sizes[:4] ** 2 / (sizes**2).sum())


def test_directions_without_variance_are_left_out() -> None:
    line = np.outer(np.arange(5.0), [1, -2, 0]).astype(np.float32)

    components, shares = principal_components(line, most=4)

    assert components[:, 0] == pytest.approx((2 - np.arange(5.0)) * 5**0.5)  # the largest entry, -2, is made positive
    assert shares == pytest.approx([1])
    assert components.shape == (5, 1)


def test_an_image_belongs_to_the_rarest_of_its_frequent_labels() -> None:
    labels = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]], dtype=bool)

    frequent, groups = rarest_of_frequent(labels, most=2)

    assert frequent == [0, 1]  # 4, 3, 0 and 2 images
    assert groups.tolist() == [1, 1, 0, 2, 1, 0]


def test_labels_that_no_image_has_are_no_groups() -> None:
    assert rarest_of_frequent(np.zeros((2, 3), dtype=bool), most=6)[0] == []


def test_the_numbers_name_the_images_whose_relaxed_codes_are_kept(run: Run) -> None:
    rows = torch.tensor([1, 3, 59])
    relaxed = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5]])
    run.write_codes("mine", run.codes("mine")._replace(relaxed=relaxed, relaxed_rows=rows))
    items = torch.zeros(60, 3, dtype=torch.uint8)
    items[1], items[3, 0] = torch.tensor([1, 1, 0]), 1
    run.write_relevance(LabelRelevance(torch.ones(20, 3, dtype=torch.uint8), items, ["cat", "dog", "tree"]), *run.ids())

    drawing = FIGURE.draw(run)

    assert drawing.columns == ["image", "labels", "colour", "component 1", "component 2"]
    rows = [list(row) for row in drawing.rows]
    assert [row[:3] for row in rows] == [
        ["d1", "cat, dog", "dog"], ["d3", "cat", "cat"], ["d59", "", "none of these"],
    ]  # fmt: skip
    centre = 0.5 / 3
    np.testing.assert_allclose([row[3:] for row in rows], [[1, -centre], [-1, -centre], [0, 2 * centre]], atol=1e-7)
    names = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert names == ["cat (1)", "dog (1)", "none of these (1)"]


def test_without_labels_all_points_are_alike(run: Run) -> None:
    run.write_relevance(MatrixRelevance(np.eye(20, 60)), *run.ids())

    drawing = FIGURE.draw(run)

    assert {tuple(row[1:3]) for row in drawing.rows} == {("", "all")}
    assert len(drawing.figure.axes) == 2


@pytest.mark.parametrize("relaxed", [torch.zeros(60, 8), torch.arange(60.0)[:, None]])
def test_nothing_is_drawn_where_codes_do_not_make_a_plane(run: Run, relaxed: torch.Tensor) -> None:
    run.write_codes("mine", run.codes("mine")._replace(relaxed=relaxed, relaxed_rows=None))

    assert FIGURE.draw(run) == "the relaxed codes vary in fewer than two directions"
