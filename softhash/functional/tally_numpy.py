"""Counting pairs with numpy, where numba is not installed."""

import numpy as np
import torch

_BLOCK = 1 << 14  # items at a time, so that what a query needs of them stays in the cache


def count_words(
    query_codes: np.ndarray,
    query_labels: np.ndarray,
    database_codes: np.ndarray,
    database_labels: np.ndarray,
    bits: int,
    grades: int,
) -> np.ndarray:
    """Count pairs by differing bits and by shared labels.

    Args:
        query_codes: ``(ceil(K / 64), Q)`` uint64.
        query_labels: ``(ceil(C / 64), Q)`` uint64.
        database_codes: ``(ceil(K / 64), N)`` uint64.
        database_labels: ``(ceil(C / 64), N)`` uint64.
        bits: Code length K.
        grades: R, above the largest number of shared labels.

    Returns:
        ``(Q, K + 1, R)`` int64.
    """
    cells = (bits + 1) * grades
    dtype = np.int16 if cells <= np.iinfo(np.int16).max else np.int32
    result = torch.zeros(query_codes.shape[1], cells, dtype=torch.int64)
    for start in range(0, database_codes.shape[1], _BLOCK):
        codes, labels = (words[:, start : start + _BLOCK] for words in (database_codes, database_labels))
        for row in range(query_codes.shape[1]):
            cell = _set_bits(query_codes[:, row, None] ^ codes, dtype)
            cell *= dtype(grades)
            cell += _set_bits(query_labels[:, row, None] & labels, dtype)
            result[row] += torch.bincount(torch.from_numpy(cell), minlength=cells)
    counts: np.ndarray = result.reshape(-1, bits + 1, grades).numpy()
    return counts


def _set_bits(words: np.ndarray, dtype: type) -> np.ndarray:
    """Bits that are set: ``(words, N)`` to ``(N,)``."""
    counts: np.ndarray = np.bitwise_count(words)
    total: np.ndarray = counts[0].astype(dtype) if len(counts) == 1 else counts.sum(0, dtype=dtype)
    return total
