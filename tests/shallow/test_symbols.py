import numpy as np
import pytest

from softhash.shallow.symbols import byte_tables, check_symbols


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_the_score_of_a_byte_is_the_sum_of_those_of_its_symbols(size: int) -> None:
    rng = np.random.default_rng(0)
    per_byte, values = 8 // size, 2**size
    tables, symbols = rng.standard_normal((3, 2 * per_byte, values)), rng.integers(values, size=(5, 2 * per_byte))
    bits = (symbols[:, :, None] >> np.arange(size) & 1).reshape(5, -1)
    codes = np.packbits(bits.astype(bool), axis=1, bitorder="little")

    scores = byte_tables(tables)

    found = sum(scores[:, byte][:, codes[:, byte]] for byte in range(2))
    expected = sum(tables[:, place][:, symbols[:, place]] for place in range(2 * per_byte))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_last_byte_that_is_not_full_has_nothing_beyond() -> None:
    scores = byte_tables(np.arange(16.0).reshape(1, 1, 16))

    assert scores.shape == (1, 1, 256)
    assert scores[0, 0, [3, 3 + 16, 3 + 240]].tolist() == [3, 3, 3]


def test_symbols_must_fill_bytes_and_codes() -> None:
    check_symbols("PQ", 16, 4)
    with pytest.raises(ValueError, match="PQ: bits per symbol must be 1, 2, 4 or 8"):
        check_symbols("PQ", 15, 5)
    with pytest.raises(ValueError, match="bits=18 is no multiple"):
        check_symbols("PQ", 18, 4)
