"""The tally: all that a ranking measure needs to know about codes and labels."""

import numpy as np
import torch
from torch import Tensor

from softhash.functional.codes import check_codes
from softhash.ranking.kernel import Words, count_words
from softhash.ranking.matmul import count_by_matmul
from softhash.ranking.ranking import Ranking

_ROWS = 1 << 14  # of labels looked at together, so that their intermediate results stay small


class Database:
    """Codes and labels of a database, checked and laid out once, to count queries against.

    On the CPU the pairs are counted by a compiled kernel, on other devices by a matrix product; both give the same
    integers.

    Args:
        codes: ``(N, W)`` packed uint8.
        labels: ``(N, C)`` multi-hot.
        bits: Code length K.

    Raises:
        ValueError: Codes or labels of the wrong kind or of different lengths; names the argument.
    """

    def __init__(self, codes: Tensor, labels: Tensor, bits: int) -> None:
        check_codes(codes, bits, "database_codes")
        check_labels(labels, codes, "database")
        self.bits, self.codes, self.labels = bits, codes, labels
        self.most_labels = most_labels(labels)
        self._words = (words(codes), words(pack_labels(labels))) if codes.device.type == "cpu" else None

    def __len__(self) -> int:
        """N."""
        return len(self.codes)

    def tally(self, query_codes: Tensor, query_labels: Tensor) -> Tensor:
        """Count ``(Q, W)`` codes with ``(Q, C)`` labels against the database; see :func:`tally`."""
        check_codes(query_codes, self.bits, "query_codes")
        check_labels(query_labels, query_codes, "query")
        if query_labels.shape[1] != self.labels.shape[1]:
            msg = f"query_labels has {query_labels.shape[1]} classes, database_labels {self.labels.shape[1]}"
            raise ValueError(msg)
        grades = 1 + min(most_labels(query_labels), self.most_labels)
        if self._words is None:
            return count_by_matmul(query_codes, self.codes, query_labels, self.labels, self.bits, grades)
        query = words(query_codes), words(pack_labels(query_labels))
        return torch.from_numpy(count_words(*query, *self._words, self.bits, grades))

    def rank(self, query_codes: Tensor, query_labels: Tensor) -> Ranking:
        """Rank the database for ``(Q, W)`` codes with ``(Q, C)`` labels."""
        return Ranking.of_counts(self.tally(query_codes, query_labels))


def tally(
    query_codes: Tensor, database_codes: Tensor, query_labels: Tensor, database_labels: Tensor, bits: int
) -> Tensor:
    """Count database items by Hamming distance and number of shared labels, for each query.

    Tallies of parts of a database add up to the tally of the whole, columns that are missing being 0.

    Args:
        query_codes: ``(Q, W)`` packed uint8.
        database_codes: ``(N, W)`` packed uint8.
        query_labels: ``(Q, C)`` multi-hot.
        database_labels: ``(N, C)`` multi-hot.
        bits: Code length K.

    Returns:
        ``(Q, K + 1, R)`` int64; R - 1 is the largest number of labels that a query and an item can share:
        that of the query or of the item with most labels, the smaller. Memory beside the result: a copy of
        codes and labels, packed.

    Raises:
        ValueError: Codes or labels of the wrong kind or of different lengths; names the argument.

    Example:
        >>> query = torch.tensor([[0b01]], dtype=torch.uint8)
        >>> database = torch.tensor([[0b01], [0b11]], dtype=torch.uint8)
        >>> tally(query, database, torch.tensor([[1, 0]]), torch.tensor([[0, 1], [1, 1]]), bits=2)
        tensor([[[1, 0],
                 [0, 1],
                 [0, 0]]])
    """
    return Database(database_codes, database_labels, bits).tally(query_codes, query_labels)


def check_labels(labels: Tensor, codes: Tensor, side: str) -> None:
    """Refuse labels that are not multi-hot, of no class, or not as many as codes.

    Raises:
        ValueError: Says which.
    """
    if labels.ndim != 2 or not labels.shape[1]:
        msg = (
            f"{side}_labels must be multi-hot, ({'Q' if side == 'query' else 'N'}, C), got shape {tuple(labels.shape)}"
        )
        raise ValueError(msg)
    if len(labels) != len(codes):
        msg = f"{side}_labels has shape {tuple(labels.shape)}, but there are {len(codes)} {side}_codes"
        raise ValueError(msg)
    if not all(_are_binary(part) for part in labels.split(_ROWS)):
        lowest, highest = labels.min().item(), labels.max().item()
        msg = f"{side}_labels must be multi-hot, 0 or 1, got values from {lowest} to {highest}"
        raise ValueError(msg)


def _are_binary(labels: Tensor) -> bool:
    if labels.dtype == torch.uint8:
        return not labels.numel() or int(labels.max()) <= 1
    return not bool(((labels != 0) & (labels != 1)).any())


def pack_labels(labels: Tensor) -> Tensor:
    """``(N, C)`` multi-hot to ``(N, ceil(C / 8))`` uint8, packed like codes."""
    parts = [np.packbits(part.cpu().bool().numpy(), axis=1, bitorder="little") for part in labels.split(_ROWS)]
    return torch.from_numpy(np.concatenate(parts))


def words(packed: Tensor) -> Words:
    """``(N, W)`` bytes as ``(ceil(W / 8), N)`` uint64: one row per word, so that a loop over items is dense."""
    raw = packed.numpy()
    padded = np.zeros((len(raw), max(1, -(-raw.shape[1] // 8)) * 8), dtype=np.uint8)
    padded[:, : raw.shape[1]] = raw
    return np.ascontiguousarray(padded.view(np.uint64).T)


def most_labels(labels: Tensor) -> int:
    """The largest number of labels of an item."""
    return max(int(part.sum(1, dtype=torch.int64).max()) for part in labels.split(_ROWS))
