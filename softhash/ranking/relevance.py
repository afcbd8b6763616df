"""How relevant the items of a database are to queries: by the labels that they share, or by a matrix."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softhash.ranking.counts import Database
from softhash.ranking.rankers import DistanceRanker, Ranker, TableRanker, TallyRanker

_ROWS = 256  # queries looked at together


class Relevance(ABC):
    """Grades of every item for every query, at least 0; an item is relevant where its grade is above 0.

    Attributes:
        shape: Q queries and N items.
        class_names: Names of the classes that the grades come from; empty where they come from a matrix.
        labels: Of queries and items, ``(Q, C)`` and ``(N, C)`` multi-hot; None where the grades come from a matrix.
    """

    shape: tuple[int, int]
    class_names: list[str]
    labels: tuple[Tensor, Tensor] | None = None

    @abstractmethod
    def between(self, queries: Tensor, items: Tensor) -> Tensor:
        """Grades ``(q, n)`` float32 of ``(n,)`` items, by their row, for ``(q,)`` queries."""

    @abstractmethod
    def of_one_set(self) -> bool:
        """Whether queries and items are the same images, row by row, as far as can be told."""

    def any(self) -> bool:
        """Whether an item is relevant to a query."""
        items = torch.arange(self.shape[1])
        return any(bool(self.between(queries, items).any()) for queries in torch.arange(self.shape[0]).split(_ROWS))

    def ranker(self, query_codes: Tensor, database_codes: Tensor, bits: int, *, exclude_self: bool = False) -> Ranker:
        """Rank the items for the queries by codes, or by tables of the queries.

        Args:
            query_codes: ``(Q, W)`` packed uint8, or ``(Q, W, 256)`` tables, larger is nearer.
            database_codes: ``(N, W)`` uint8.
            bits: Code length K.
            exclude_self: Queries are the database; leave each one's match with itself, the item of its row, out.

        Raises:
            ValueError: Bad codes or tables, not as many as there are queries and items, or queries that cannot be the
                database.
        """
        if self.shape != (len(query_codes), len(database_codes)):
            msg = (
                f"relevance is that of {self.shape[0]} queries and {self.shape[1]} items, but there are "
                f"{len(query_codes)} query_codes and {len(database_codes)} database_codes"
            )
            raise ValueError(msg)
        if exclude_self and not self.of_one_set():
            msg = (
                f"exclude_self needs the queries to be the database, in its order; these {self.shape[0]} queries and "
                f"{self.shape[1]} items are not the same images"
            )
            raise ValueError(msg)
        if query_codes.ndim == 3:
            return TableRanker(query_codes, database_codes, self.between, exclude_self=exclude_self)
        return self._by_codes(query_codes, database_codes, bits, exclude_self=exclude_self)

    def _by_codes(self, query_codes: Tensor, database_codes: Tensor, bits: int, *, exclude_self: bool) -> Ranker:
        return DistanceRanker(query_codes, database_codes, self.between, bits, exclude_self=exclude_self)

    @abstractmethod
    def describe_query(self, row: int) -> list[str]:
        """Names of the labels of a query; empty without labels."""

    @abstractmethod
    def describe_item(self, row: int) -> list[str]:
        """Names of the labels of an item; empty without labels."""

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All that :func:`relevance_of` needs to make it again."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of the labels or the matrix: equal where all grades come from equal numbers."""


class LabelRelevance(Relevance):
    """The grade is the number of labels that query and item share.

    Args:
        query_labels: ``(Q, C)`` multi-hot.
        database_labels: ``(N, C)`` multi-hot.
        class_names: C names; None for numbers.

    Raises:
        ValueError: There are different numbers of classes, or none.

    Example:
        >>> relevance = LabelRelevance(torch.tensor([[1, 1, 0]]), torch.tensor([[1, 1, 1], [0, 0, 1]]))
        >>> relevance.between(torch.tensor([0]), torch.tensor([0, 1]))
        tensor([[2., 0.]])
    """

    labels: tuple[Tensor, Tensor]

    def __init__(self, query_labels: Tensor, database_labels: Tensor, class_names: Sequence[str] | None = None) -> None:
        if query_labels.ndim != 2 or database_labels.ndim != 2:
            shapes = f"{tuple(query_labels.shape)} and {tuple(database_labels.shape)}"
            msg = f"labels should be multi-hot, (Q, C) and (N, C), got {shapes}"
            raise ValueError(msg)
        if query_labels.shape[1] != database_labels.shape[1] or not query_labels.shape[1]:
            msg = f"query_labels has {query_labels.shape[1]} classes, database_labels {database_labels.shape[1]}"
            raise ValueError(msg)
        self.query_labels, self.database_labels = self.labels = query_labels, database_labels
        self.shape = len(query_labels), len(database_labels)
        self.class_names = list(class_names if class_names is not None else map(str, range(query_labels.shape[1])))

    def of_one_set(self) -> bool:
        """Whether both have the same labels."""
        return torch.equal(self.query_labels, self.database_labels)

    def any(self) -> bool:
        """Whether a query and an item have a label in common."""
        return bool((self.query_labels.amax(0) * self.database_labels.amax(0)).any())

    def between(self, queries: Tensor, items: Tensor) -> Tensor:
        """Numbers of shared labels."""
        return self.query_labels[queries].float() @ self.database_labels[items].float().T

    def _by_codes(self, query_codes: Tensor, database_codes: Tensor, bits: int, *, exclude_self: bool) -> Ranker:
        query_labels, database_labels = (labels.to(database_codes.device) for labels in self.labels)
        database = Database(database_codes, database_labels, bits)
        return TallyRanker(query_codes, query_labels, database, exclude_self=exclude_self)

    def describe_query(self, row: int) -> list[str]:
        """Names of the labels of a query."""
        return self._names(self.query_labels[row])

    def describe_item(self, row: int) -> list[str]:
        """Names of the labels of an item."""
        return self._names(self.database_labels[row])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Both multi-hot matrices, and the names."""
        return {
            "query_labels": self.query_labels.numpy(),
            "database_labels": self.database_labels.numpy(),
            "class_names": np.array(self.class_names, dtype=np.str_),
        }

    def digest(self) -> str:
        """SHA-256 of both multi-hot matrices."""
        digest = hashlib.sha256()
        for labels in (self.query_labels, self.database_labels):
            digest.update(f"{tuple(labels.shape)}".encode() + labels.to(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def _names(self, labels: Tensor) -> list[str]:
        return [self.class_names[column] for column in labels.nonzero()[:, 0].tolist()]


class MatrixRelevance(Relevance):
    """The grades are given.

    Args:
        values: ``(A, B)`` real in [0, 1], maybe mapped from a file.
        query_rows: ``(Q,)`` rows of the matrix that the queries are; None for all.
        item_rows: ``(N,)`` columns that the items are; None for all.
    """

    def __init__(
        self,
        values: NDArray[np.generic],
        query_rows: NDArray[np.int64] | None = None,
        item_rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.values, self.class_names = values, []
        self.query_rows = np.arange(values.shape[0]) if query_rows is None else query_rows
        self.item_rows = np.arange(values.shape[1]) if item_rows is None else item_rows
        self.shape = len(self.query_rows), len(self.item_rows)

    def of_one_set(self) -> bool:
        """Whether both are the same rows of the matrix."""
        return np.array_equal(self.query_rows, self.item_rows)

    def between(self, queries: Tensor, items: Tensor) -> Tensor:
        """Values of the matrix."""
        rows, columns = self.query_rows[queries.cpu().numpy()], self.item_rows[items.cpu().numpy()]
        return torch.from_numpy(self.values[np.ix_(rows, columns)].astype(np.float32)).to(queries.device)

    def describe_query(self, row: int) -> list[str]:
        """Nothing: there are no labels."""
        return []

    def describe_item(self, row: int) -> list[str]:
        """Nothing: there are no labels."""
        return []

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The grades of all items for all queries."""
        grades = self.values[np.ix_(self.query_rows, self.item_rows)].astype(np.float32)
        return {"grades": grades, "class_names": np.array([], dtype=np.str_)}

    def digest(self) -> str:
        """SHA-256 of the grades."""
        digest = hashlib.sha256(f"{self.shape}".encode())
        for start in range(0, len(self.query_rows), _ROWS):
            part = self.values[np.ix_(self.query_rows[start : start + _ROWS], self.item_rows)]
            digest.update(np.ascontiguousarray(part, dtype=np.float32).tobytes())
        return digest.hexdigest()


def relevance_of(arrays: dict[str, NDArray[np.generic]]) -> Relevance:
    """Make a relevance again from its :meth:`Relevance.arrays`; others in the mapping are left alone."""
    if "grades" in arrays:
        return MatrixRelevance(arrays["grades"])
    query, database = (torch.from_numpy(arrays[f"{side}_labels"]) for side in ("query", "database"))
    return LabelRelevance(query, database, [str(name) for name in arrays["class_names"]])


def check_matrix(values: NDArray[np.generic], name: str) -> None:
    """Refuse what is no square matrix of similarities.

    Raises:
        ValueError: It is no square, or a value is NaN or outside [0, 1]; names the matrix and the place.
    """
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        msg = f"{name} should be a square matrix, (N, N), and has shape {values.shape}"
        raise ValueError(msg)
    for start in range(0, len(values), _ROWS):
        part = np.asarray(values[start : start + _ROWS], dtype=np.float32)
        wrong = ~((part >= 0) & (part <= 1))
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            msg = f"{name} should be in [0, 1]; image {start + row} has {part[row, column]} with image {column}"
            raise ValueError(msg)
