"""Counting pairs with numpy, where numba is not installed."""

import numpy as np
import torch

_BLOCK = 1 << 15  # items at a time at most, so that what a query needs of them stays in the cache


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
    cells, size = (bits + 1) * grades, database_codes.shape[1]
    dtype = np.int16 if cells <= np.iinfo(np.int16).max else np.int32
    result = np.zeros((query_codes.shape[1], cells), dtype=np.int64)
    step = -(-size // -(-size // _BLOCK))
    for start in range(0, size, step):
        codes, labels = (words[:, start : start + step] for words in (database_codes, database_labels))
        scratch, cell = np.empty(codes.shape[1], dtype=np.uint64), np.empty(codes.shape[1], dtype=dtype)
        counted = torch.from_numpy(cell)
        for row in range(query_codes.shape[1]):
            differing = _set_bits(np.bitwise_xor, query_codes[:, row], codes, scratch)
            shared = _set_bits(np.bitwise_and, query_labels[:, row], labels, scratch)
            np.multiply(differing, dtype(grades), out=cell)
            np.add(cell, shared, out=cell)
            result[row] += torch.bincount(counted, minlength=cells).numpy()
    return result.reshape(-1, bits + 1, grades)


def _set_bits(combine: np.ufunc, query: np.ndarray, words: np.ndarray, scratch: np.ndarray) -> np.ndarray:
    """Bits that are set in a query's words combined with those of items, ``(words, N)``: ``(N,)``."""
    total: np.ndarray = np.bitwise_count(combine(words[0], query[0], out=scratch))
    if len(words) > 1:
        total = total.astype(np.int16)  # up to 64 bits a word do not fit uint8 for long
    for word in range(1, len(words)):
        total += np.bitwise_count(combine(words[word], query[word], out=scratch))
    return total
