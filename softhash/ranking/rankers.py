"""Ranking a database for queries, some at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from softhash.functional.codes import check_codes, unpack
from softhash.functional.hamming import hamming_distance
from softhash.functional.tables import check_tables, look_up
from softhash.ranking.counts import Database
from softhash.ranking.ranking import Ranking
from softhash.ranking.scores import rank_distances, rank_scores

Grades = Callable[[Tensor, Tensor], Tensor]  # rows of queries (q,) and of items (n,) to (q, n) grades


class Ranker(ABC):
    """Rankings of queries by their row.

    Attributes:
        room: Numbers that one query takes in memory, at most.
        is_parallel: Whether threads may rank side by side.
        has_distances: Whether items are ranked by Hamming distance.
    """

    room: int
    is_parallel = True
    has_distances = True

    @abstractmethod
    def rank(self, rows: Tensor) -> Ranking:
        """Rank the database for ``(q,)`` queries."""

    def pairs(self, ranking: Ranking) -> Tensor:
        """Pairs of its rankings by distance and whether they are relevant; ``(K + 1, 2)`` int64."""
        return ranking.binary.pairs(2)


class TallyRanker(Ranker):
    """By codes, and labels that are shared: counted, not sorted.

    Args:
        query_codes: ``(Q, W)`` packed uint8.
        query_labels: ``(Q, C)`` multi-hot.
        database: What is ranked.
        exclude_self: Leave the item of its own row out for each query.

    Raises:
        ValueError: Bad codes.
    """

    def __init__(self, query_codes: Tensor, query_labels: Tensor, database: Database, *, exclude_self: bool) -> None:
        check_codes(query_codes, database.bits, "query_codes")
        self.query_codes, self.query_labels, self.database = query_codes, query_labels, database
        self.exclude_self = exclude_self
        self.room = (database.bits + 1) * (1 + database.most_labels)
        self.is_parallel = database.codes.device.type == "cpu"

    def rank(self, rows: Tensor) -> Ranking:
        """Count the pairs of some queries."""
        codes, labels = self.query_codes[rows], self.query_labels[rows]
        counts = self.database.tally(codes, labels)
        if self.exclude_self:
            distance = unpack(codes ^ self.database.codes[rows], self.database.bits).sum(1)
            shared = (labels.bool() & self.database.labels[rows].bool()).sum(1)
            counts[torch.arange(len(counts), device=counts.device), distance, shared] -= 1
        return Ranking.of_counts(counts)

    def pairs(self, ranking: Ranking) -> Tensor:
        """Pairs of its rankings by distance and number of shared labels; ``(K + 1, R)`` int64."""
        return ranking.pairs(1 + self.database.most_labels)


class DistanceRanker(Ranker):
    """By codes, where each item has a grade of its own.

    Args:
        query_codes: ``(Q, W)`` packed uint8.
        database_codes: ``(N, W)`` packed uint8.
        grades: Grades of items for queries, by their rows.
        bits: Code length K.
        exclude_self: Leave the item of its own row out for each query.

    Raises:
        ValueError: Bad codes.
    """

    def __init__(
        self, query_codes: Tensor, database_codes: Tensor, grades: Grades, bits: int, *, exclude_self: bool
    ) -> None:
        check_codes(query_codes, bits, "query_codes")
        check_codes(database_codes, bits, "database_codes")
        self.query_codes, self.database_codes, self.grades, self.bits = query_codes, database_codes, grades, bits
        self.exclude_self = exclude_self
        self.room = 4 * len(database_codes)

    def rank(self, rows: Tensor) -> Ranking:
        """Sort the items of some queries.

        Raises:
            ValueError: A grade cannot be.
        """
        distances = hamming_distance(self.query_codes[rows], self.database_codes)
        grades = self.grades(rows, torch.arange(len(self.database_codes)))
        return rank_distances(distances, grades, self.bits, rows if self.exclude_self else None)


class TableRanker(Ranker):
    """By tables of scores for every byte of a code, see :func:`softhash.functional.tables.look_up`.

    Args:
        tables: ``(Q, W, 256)`` real, larger is nearer.
        database_codes: ``(N, W)`` uint8.
        grades: Grades of items for queries, by their rows.
        exclude_self: Leave the item of its own row out for each query.

    Raises:
        ValueError: Tables that do not fit the codes.
    """

    has_distances = False

    def __init__(self, tables: Tensor, database_codes: Tensor, grades: Grades, *, exclude_self: bool) -> None:
        check_tables(tables, database_codes)
        self.tables, self.database_codes, self.grades = tables, database_codes, grades
        self.exclude_self = exclude_self
        self.room = 8 * len(database_codes)

    def rank(self, rows: Tensor) -> Ranking:
        """Score the items of some queries and sort them.

        Raises:
            ValueError: A grade cannot be.
        """
        scores = look_up(self.tables[rows], self.database_codes)
        grades = self.grades(rows, torch.arange(len(self.database_codes)))
        return rank_scores(scores, grades, rows if self.exclude_self else None)
