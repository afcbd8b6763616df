import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from softhash.shallow.itq import ITQ, itq_rotation
from softhash.shallow.lsh import LSH


def turned_corners(degrees: float) -> NDArray[np.float64]:
    """The corners of a square, each 25 times, turned."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.tile([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], (25, 1)) @ turn


def quantization_error(rotated: NDArray[np.float64]) -> float:
    return float(((np.sign(rotated) - rotated) ** 2).sum())


@pytest.mark.parametrize("seed", range(5))
def test_one_iteration_turns_the_corners_of_a_square_back(seed: int) -> None:
    corners = turned_corners(30)

    rotation = itq_rotation(corners, 1, np.random.default_rng(seed))

    assert quantization_error(corners @ rotation) == pytest.approx(0, abs=1e-20)


def test_the_rotation_is_orthogonal_and_no_iteration_makes_it_worse() -> None:
    projected = np.random.default_rng(0).standard_normal((200, 8)) * np.arange(1, 9)

    rotations = [itq_rotation(projected, count, np.random.default_rng(1)) for count in range(30)]

    errors = [quantization_error(projected @ rotation) for rotation in rotations]
    assert max(np.diff(errors)) <= 1e-9
    assert errors[-1] < errors[0]
    np.testing.assert_allclose(rotations[-1] @ rotations[-1].T, np.eye(8), atol=1e-13)


def test_the_rotation_solves_the_procrustes_problem_of_its_codes() -> None:
    projected = np.random.default_rng(0).standard_normal((50, 4))
    rng = np.random.default_rng(1)
    codes = np.sign(projected @ itq_rotation(projected, 0, np.random.default_rng(1)))

    rotation = itq_rotation(projected, 1, rng)

    # |B - V R|^2 = N K + |V|^2 - 2 sum of singular values of B^T V
    smallest = 50 * 4 + (projected**2).sum() - 2 * np.linalg.svd(codes.T @ projected, compute_uv=False).sum()
    assert ((codes - projected @ rotation) ** 2).sum() == pytest.approx(smallest)


def test_directions_of_little_variance_are_left_out() -> None:
    corners = turned_corners(30)
    noise = 1e-3 * np.random.default_rng(0).standard_normal((100, 3))
    features = np.hstack([noise[:, :2], 10 * corners, noise[:, 2:]]) + 5

    relaxed = ITQ(2, random_state=0).fit(features).transform(features)

    assert len(np.unique(relaxed > 0, axis=0)) == 4
    np.testing.assert_allclose(np.abs(relaxed), 10, atol=0.01)


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.622), (32, 0.649)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(bits: int, expected: float) -> None:
    digits = load_digits()
    features = digits.data / np.linalg.norm(digits.data, axis=1, keepdims=True)
    items, queries, item_labels, query_labels = train_test_split(
        features, digits.target, test_size=300, stratify=digits.target, random_state=0
    )

    def mean_average_precision(method: ITQ | LSH) -> float:
        method.fit(items)
        near, far = (method.transform(part) > 0 for part in (queries, items))
        order = (near[:, None] != far[None]).sum(2).argsort(1, kind="stable")
        found = item_labels[order] == query_labels[:, None]
        precision = found.cumsum(1) / np.arange(1, len(items) + 1)
        return float(((precision * found).sum(1) / found.sum(1)).mean())

    value = mean_average_precision(ITQ(bits, random_state=0))

    assert value == pytest.approx(expected, abs=0.03)  # of five seeds, standard deviation 0.008
    assert value > mean_average_precision(LSH(bits, random_state=0)) + 0.05


def test_a_constant_added_to_all_features_does_not_matter() -> None:
    features = np.random.default_rng(0).random((20, 5))

    near, far = (ITQ(3, random_state=0).fit(f).transform(f) for f in (features, features + 100))

    np.testing.assert_allclose(near, far, atol=1e-5)


def test_rows_are_transformed_one_by_one_as_together() -> None:
    features = np.random.default_rng(0).random((20, 5))
    itq = ITQ(3, random_state=0).fit(features)

    np.testing.assert_allclose(itq.transform(features[:1]), itq.transform(features)[:1], rtol=1e-6)


def test_constant_features_and_twins_give_finite_values() -> None:
    features = np.ones((10, 5))
    features[:5, 0] = 2

    assert np.isfinite(ITQ(4, random_state=0).fit(features).transform(features)).all()


@pytest.mark.parametrize("shape", [(20, 4), (4, 20)])
def test_more_bits_than_features_or_images_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="ITQ needs one image and one feature per bit: bits=5 is more than the 4"):
        ITQ(5).fit(np.ones(shape))


def test_scikit_learn_can_clone_it_and_all_that_is_fitted_are_arrays() -> None:
    assert clone(ITQ(3, iterations=7, random_state=2)).get_params() == {"bits": 3, "iterations": 7, "random_state": 2}

    fitted = {name: value for name, value in vars(ITQ(3).fit(np.eye(6))).items() if name.endswith("_")}

    shapes = {name: np.shape(value) for name, value in fitted.items()}
    assert shapes == {"mean_": (6,), "projection_": (6, 3), "n_features_in_": ()}
