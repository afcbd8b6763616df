import numpy as np
import pytest
import torch
from torch import Tensor

from softhash.functional.codes import pack
from softhash.functional.hamming import hamming_distance
from softhash.ranking.ranking import Ranking
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance, Relevance

BITS, NUM = 12, 40


def problem() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    return pack(torch.randn(NUM, BITS, generator=rng)), (torch.rand(NUM, 5, generator=rng) < 0.4).to(torch.uint8)


def slow(query: Tensor, database: Tensor, grades: Tensor, *, exclude_self: bool) -> list[list[tuple[int, float]]]:
    """Distance and grade of each item, sorted, for each query."""
    distances = hamming_distance(query, database)
    return [
        sorted(
            (int(distances[i, j]), float(grades[i, j])) for j in range(len(database)) if not (exclude_self and i == j)
        )
        for i in range(len(query))
    ]


def listed(ranking: Ranking) -> list[list[tuple[int, float]]]:
    starts, distance, level, items = ranking.cells
    return [
        [
            (int(distance[cell]), float(ranking.grades[level[cell]]))
            for cell in range(starts[query], starts[query + 1])
            for _ in range(items[cell])
        ]
        for query in range(len(ranking))
    ]


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("same_codes", [False, True])
@pytest.mark.parametrize("by_labels", [False, True])
def test_each_item_is_at_its_distance_with_its_grade(by_labels: bool, same_codes: bool, exclude_self: bool) -> None:
    database, labels = problem()
    query = database if same_codes else database.flip(0)  # some methods encode a query otherwise than an item
    grades = (labels.long() @ labels.long().T).float()
    relevance = LabelRelevance(labels, labels) if by_labels else MatrixRelevance(grades.numpy())

    ranking = relevance.ranker(query, database, BITS, exclude_self=exclude_self).rank(torch.arange(NUM))

    assert listed(ranking) == slow(query, database, grades, exclude_self=exclude_self)


@pytest.mark.parametrize("exclude_self", [False, True])
def test_tables_of_hamming_distances_rank_like_codes(exclude_self: bool) -> None:
    codes, labels = problem()
    relevance = LabelRelevance(labels, labels)
    tables = -torch.stack(
        [hamming_distance(codes[:, byte, None], torch.arange(256, dtype=torch.uint8)[:, None]) for byte in range(2)], 1
    ).float()

    by_codes, by_tables = (
        relevance.ranker(query, codes, BITS, exclude_self=exclude_self).rank(torch.arange(NUM))
        for query in (codes, tables)
    )

    for order in ("tied", "worst", "best"):
        for name in ("starts", "items", "relevant", "gain"):
            np.testing.assert_array_equal(
                getattr(getattr(by_tables, order), name), getattr(getattr(by_codes, order), name)
            )


def test_pairs_are_by_shared_labels_or_by_relevance() -> None:
    codes, labels = problem()
    grades = (labels.long() @ labels.long().T).float()

    pairs = {}
    for relevance in (LabelRelevance(labels, labels), MatrixRelevance(grades.numpy())):
        ranker = relevance.ranker(codes, codes, BITS)
        pairs[type(relevance)] = ranker.pairs(ranker.rank(torch.arange(NUM)))

    assert pairs[LabelRelevance].shape == (BITS + 1, 1 + int(labels.sum(1).max()))
    assert torch.equal(pairs[LabelRelevance][:, 0], pairs[MatrixRelevance][:, 0])
    assert torch.equal(pairs[LabelRelevance][:, 1:].sum(1), pairs[MatrixRelevance][:, 1])


CODES, LABELS = problem()


@pytest.mark.parametrize(
    "relevance",
    [
        LabelRelevance(LABELS, LABELS.flip(0)),
        LabelRelevance(LABELS[:30], LABELS),
        MatrixRelevance(np.ones((NUM, NUM)), np.arange(NUM), np.arange(NUM)[::-1]),
    ],
)
def test_leaving_self_out_needs_the_queries_to_be_the_database(relevance: Relevance) -> None:
    with pytest.raises(ValueError, match="exclude_self needs the queries to be the database, in its order; these"):
        relevance.ranker(CODES[: relevance.shape[0]], CODES, BITS, exclude_self=True)


def test_codes_of_another_number_than_the_relevance_are_refused() -> None:
    message = "relevance is that of 40 queries and 40 items, but there are 39 query_codes and 40 database_codes"
    with pytest.raises(ValueError, match=message):
        LabelRelevance(LABELS, LABELS).ranker(CODES[:39], CODES, BITS)
