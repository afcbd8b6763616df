import numpy as np
import pytest
from sklearn.base import clone

from softhash.shallow.lsh import LSH


def test_vectors_at_sixty_degrees_differ_in_a_third_of_the_bits() -> None:
    vectors = np.array([[1.0, 0.0], [0.5, 3**0.5 / 2]])
    relaxed = LSH(200_000, center=False, random_state=0).fit(vectors).transform(vectors)

    differing = np.mean((relaxed[0] > 0) != (relaxed[1] > 0))

    assert differing == pytest.approx(1 / 3, abs=5 * np.sqrt(2 / 9 / 200_000))


def test_length_does_not_matter_without_centring() -> None:
    features = np.random.default_rng(0).random((10, 5))
    lsh = LSH(32, center=False, random_state=0).fit(features)

    np.testing.assert_array_equal(lsh.transform(features) > 0, lsh.transform(7 * features) > 0)


def test_a_constant_added_to_all_features_does_not_matter_with_centring() -> None:
    features = np.random.default_rng(0).random((10, 5))

    near, far = (LSH(32, random_state=0).fit(f).transform(f) for f in (features, features + 100))

    np.testing.assert_allclose(near, far, atol=1e-5)


def test_scikit_learn_can_clone_it() -> None:
    assert clone(LSH(8, center=False, random_state=3)).get_params() == {
        "bits": 8,
        "center": False,
        "random_state": 3,
    }


def test_rows_are_transformed_one_by_one_as_together() -> None:
    features = np.random.default_rng(0).random((10, 5))
    lsh = LSH(32, random_state=0).fit(features)

    np.testing.assert_allclose(lsh.transform(features[:1]), lsh.transform(features)[:1], rtol=1e-6)
