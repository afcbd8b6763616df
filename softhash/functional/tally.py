"""The tally: all that a ranking measure needs to know about codes and labels."""

import numpy as np
import torch
from torch import Tensor

from softhash.functional.codes import check_codes

_DATABASE_BLOCK = 1 << 14  # items whose pairs with all queries of a call are looked at together


def tally(
    query_codes: Tensor, database_codes: Tensor, query_labels: Tensor, database_labels: Tensor, bits: int
) -> Tensor:
    """Count database items by Hamming distance and number of shared labels, for each query.

    Tallies of parts of a database add up to the tally of the whole.

    Args:
        query_codes: ``(Q, W)`` packed uint8.
        database_codes: ``(N, W)`` packed uint8.
        query_labels: ``(Q, C)`` multi-hot.
        database_labels: ``(N, C)`` multi-hot.
        bits: Code length K.

    Returns:
        ``(Q, K + 1, R)`` int64; R - 1 is the largest number of labels that a query has. Memory beside the
        result: about 10 bytes for each pair of a query and one of 16,384 items.

    Raises:
        ValueError: Codes or labels of the wrong kind or of different lengths; names the argument.

    Example:
        >>> query, database = torch.tensor([[0b01]], dtype=torch.uint8), torch.tensor([[0b01], [0b11]], dtype=torch.uint8)
        >>> tally(query, database, torch.tensor([[1, 0]]), torch.tensor([[0, 1], [1, 1]]), bits=2)
        tensor([[[1, 0],
                 [0, 1],
                 [0, 0]]])
    """
    check_codes(query_codes, bits, "query_codes")
    check_codes(database_codes, bits, "database_codes")
    check_labels(query_labels, query_codes, "query")
    check_labels(database_labels, database_codes, "database")
    if query_labels.shape[1] != database_labels.shape[1]:
        msg = f"query_labels has {query_labels.shape[1]} classes, database_labels {database_labels.shape[1]}"
        raise ValueError(msg)
    grades = 1 + int(query_labels.sum(1).max())
    cells = (bits + 1) * grades
    if cells > np.iinfo(np.int16).max:
        dtype = np.int32
    else:
        dtype = np.int16
    query, database = _words(query_codes), _words(database_codes)
    wanted, offered = _words(_packed_labels(query_labels)), _words(_packed_labels(database_labels))
    result = torch.zeros(len(query_codes), cells, dtype=torch.int64)
    for start in range(0, len(database_codes), _DATABASE_BLOCK):
        part = slice(start, start + _DATABASE_BLOCK)
        for row in range(len(query_codes)):
            cell = _shared_bits(query[:, row, None] ^ database[:, part], dtype) * dtype(grades)
            cell += _shared_bits(wanted[:, row, None] & offered[:, part], dtype)
            result[row] += torch.bincount(torch.from_numpy(cell), minlength=cells)
    return result.reshape(len(query_codes), bits + 1, grades).to(query_codes.device)


def check_labels(labels: Tensor, codes: Tensor, side: str) -> None:
    """Refuse labels that are not multi-hot, or not as many as codes.

    Raises:
        ValueError: Says which.
    """
    if labels.ndim != 2 or len(labels) != len(codes):
        msg = f"{side}_labels has shape {tuple(labels.shape)}, but there are {len(codes)} {side}_codes"
        raise ValueError(msg)
    if bool(((labels != 0) & (labels != 1)).any()):
        msg = f"{side}_labels must be multi-hot, 0 or 1, got values from {labels.min().item()} to {labels.max().item()}"
        raise ValueError(msg)


def _packed_labels(labels: Tensor) -> Tensor:
    return torch.from_numpy(np.packbits(labels.cpu().numpy().astype(bool), axis=1, bitorder="little"))


def _words(packed: Tensor) -> np.ndarray:
    """``(N, W)`` bytes as ``(ceil(W / 8), N)`` words of 64 bits: one row a word, so that a loop over items is dense."""
    raw = packed.cpu().numpy()
    padded = np.zeros((len(raw), -(-raw.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : raw.shape[1]] = raw
    return np.ascontiguousarray(padded.view(np.uint64).T)


def _shared_bits(words: np.ndarray, dtype: type) -> np.ndarray:
    """Bits that are set: ``(words, N)`` to ``(N,)``."""
    counts = np.bitwise_count(words)
    return counts[0].astype(dtype) if len(counts) == 1 else counts.sum(0, dtype=dtype)
