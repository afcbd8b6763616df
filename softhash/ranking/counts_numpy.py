"""Counting pairs with numpy, where numba is not installed."""

import numpy as np
import torch

_PAIRS = 1 << 17  # at a time at most, so that what is known of them stays in the cache


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
    count, size, cells = query_codes.shape[1], database_codes.shape[1], (bits + 1) * grades
    items = -(-size // -(-size // _PAIRS))
    rows = max(1, _PAIRS // max(items, cells))  # of queries at a time
    dtype = np.int16 if rows * cells <= np.iinfo(np.int16).max else np.int32
    starts: np.ndarray = (np.arange(rows) * cells).astype(dtype)[:, None]
    result = np.zeros((count, cells), dtype=np.int64)
    for start in range(0, size, items):
        codes, labels = (words[:, start : start + items] for words in (database_codes, database_labels))
        for first in range(0, count, rows):
            taken = slice(first, first + rows)
            cell = _set_bits(np.bitwise_xor, query_codes[:, taken], codes) * dtype(grades)
            cell += _set_bits(np.bitwise_and, query_labels[:, taken], labels)
            cell += starts[: len(cell)]
            found = torch.bincount(torch.from_numpy(cell).flatten(), minlength=len(cell) * cells)
            result[taken] += found.reshape(-1, cells).numpy()
    return result.reshape(-1, bits + 1, grades)


def _set_bits(combine: np.ufunc, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Bits that are set in the words of queries combined with those of items: ``(q, n)`` integers."""
    total: np.ndarray = np.bitwise_count(combine(queries[0, :, None], items[0]))
    if len(items) > 1:
        total = total.astype(np.int16)  # 64 bits a word do not fit uint8 for long
    for query, item in zip(queries[1:], items[1:], strict=True):
        total += np.bitwise_count(combine(query[:, None], item))
    return total
