"""Codes of symbols of several bits each, which are compared by tables and not by Hamming distance."""

import numpy as np
from numpy.typing import NDArray

SIZES = (1, 2, 4, 8)


def check_symbols(name: str, bits: int, bits_per_symbol: int) -> None:
    """Refuse symbols that do not fill a code, or of which a byte does not hold a whole number.

    Raises:
        ValueError: Names the method and both numbers.
    """
    if bits_per_symbol not in SIZES:
        msg = f"{name}: bits per symbol must be 1, 2, 4 or 8, so that symbols fill bytes; got {bits_per_symbol}"
        raise ValueError(msg)
    if bits % bits_per_symbol:
        msg = f"{name} gives {bits_per_symbol} bits at a time, and bits={bits} is no multiple of it"
        raise ValueError(msg)


def byte_tables(tables: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scores by symbol as scores by byte of a packed code.

    Args:
        tables: ``(n, S, V)`` scores of the V values of each of S symbols, V a power of two that a byte holds.

    Returns:
        ``(n, W, 256)``: the sum of the scores of the symbols in a byte, the first in its lowest bits.

    Example:
        >>> of_bits = np.array([[[0.0, 1.0]] + [[0.0, 0.0]] * 6 + [[0.0, 5.0]]])
        >>> byte_tables(of_bits)[0, 0, [0, 1, 128, 129]]
        array([0., 1., 5., 6.], dtype=float32)
    """
    num_rows, num_symbols, num_values = tables.shape
    size = int(num_values).bit_length() - 1
    per_byte = 8 // size
    scores = np.zeros((num_rows, -(-num_symbols // per_byte), 256))
    values = np.arange(256)
    for symbol in range(num_symbols):
        byte, place = divmod(symbol, per_byte)
        scores[:, byte] += tables[:, symbol, values >> place * size & num_values - 1]
    return scores.astype(np.float32)
