from collections.abc import Callable

import numpy as np
import pytest

from softhash.shallow.pq import PQ

FEATURES = np.random.default_rng(0).standard_normal((400, 10))


def books() -> PQ:
    """Two blocks of one feature each, with two centres."""
    pq = PQ(2, bits_per_block=1, random_state=0).fit(np.array([[0.0, 1], [2, 5]]))
    pq.centers_ = np.array([[[0.0], [2.0]], [[1.0], [5.0]]])
    return pq


def codes_of(pq: PQ, features: np.ndarray) -> np.ndarray:
    return np.packbits(pq.transform(features) > 0, axis=1, bitorder="little")


def test_a_row_is_the_numbers_of_its_nearest_centres() -> None:
    assert (books().transform(np.array([[1.4, 2.5]])) > 0).tolist() == [[True, False]]


def test_a_query_at_the_origin_is_at_a_squared_distance_of_five() -> None:
    pq = books()

    tables = pq.tables(np.zeros((1, 2)))

    assert tables.shape == (1, 1, 256)
    assert tables[0, 0, codes_of(pq, np.array([[1.4, 2.5]]))[0, 0]] == -5  # to (2, 1)


@pytest.mark.parametrize("bits_per_block", [1, 2, 4, 8])
def test_scores_are_exact_distances_to_what_the_codes_stand_for(bits_per_block: int) -> None:
    pq = PQ(24, bits_per_block, random_state=0)
    if 24 // bits_per_block > FEATURES.shape[1]:
        with pytest.raises(ValueError, match=f"bits=24 has {24 // bits_per_block} blocks, and there are 10 features"):
            pq.fit(FEATURES)
        return
    codes, tables = codes_of(pq.fit(FEATURES), FEATURES), pq.tables(FEATURES[:5])

    numbers = np.unpackbits(codes, axis=1, bitorder="little").reshape(400, -1, bits_per_block) @ (
        2 ** np.arange(bits_per_block)
    )
    widths = np.diff(pq.starts_)
    decoded = np.hstack([pq.centers_[block, numbers[:, block], :width] for block, width in enumerate(widths)])
    scores = sum(tables[:, byte][:, codes[:, byte]] for byte in range(codes.shape[1]))
    np.testing.assert_allclose(-scores, ((FEATURES[:5, None] - decoded) ** 2).sum(2), rtol=1e-5)
    assert ((FEATURES - decoded) ** 2).sum() < ((FEATURES - FEATURES.mean(0)) ** 2).sum()


def test_blocks_differ_in_size_by_one_at_most() -> None:
    assert PQ(24, random_state=0).fit(FEATURES).starts_.tolist() == [0, 3, 6, 10]


def test_fewer_rows_than_centres_are_their_own_centres() -> None:
    pq = PQ(8, random_state=0).fit(FEATURES[:20])

    scores = pq.tables(FEATURES[:20])[:, 0][:, codes_of(pq, FEATURES[:20])[:, 0]]

    np.testing.assert_allclose(scores.diagonal(), 0, atol=1e-5)


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.672), (32, 0.660)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    assert finds(PQ(bits, random_state=0)) == pytest.approx(expected, abs=0.01)


def test_bits_that_do_not_fill_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="PQ gives 8 bits at a time, and bits=12 is no multiple of it"):
        PQ(12).fit(FEATURES)
