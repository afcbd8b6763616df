import numpy as np
import pytest
import torch
from torch import Tensor

from softhash.functional.codes import pack
from softhash.functional.hamming import hamming_distance
from softhash.ranking.counts import Database
from softhash.ranking.ranking import Ranking
from softhash.ranking.scores import rank_distances, rank_scores

GRADES = torch.tensor([[0.0, 2.5, 0.5, 0.5], [0.0, 0.0, 0.0, 1.0]])


def items(ranking: Ranking) -> list[tuple[int, int, float]]:
    """Distance, number of items and grade of each cell."""
    cells = ranking.cells
    return list(zip(cells.distance.tolist(), cells.items.tolist(), ranking.grades[cells.level].tolist(), strict=True))


def test_equal_scores_are_ties_and_equal_grades_in_them_a_cell() -> None:
    ranking = rank_scores(torch.tensor([[0.1, 7.0, 0.1, 0.1], [3.0, 2.0, 1.0, -torch.inf]]), GRADES)

    assert ranking.cells.starts.tolist() == [0, 3, 7]
    assert items(ranking) == [
        *[(0, 1, 2.5), (1, 1, 0.0), (1, 2, 0.5)],
        *[(0, 1, 0.0), (1, 1, 0.0), (2, 1, 0.0), (3, 1, 1.0)],
    ]
    assert not ranking.has_distances


def test_distances_stay_what_they_are() -> None:
    ranking = rank_distances(torch.tensor([[5, 0, 5, 5], [2, 2, 2, 3]]), GRADES, bits=8)

    assert items(ranking) == [*[(0, 1, 2.5), (5, 1, 0.0), (5, 2, 0.5)], *[(2, 3, 0.0), (3, 1, 1.0)]]
    assert (ranking.depth, ranking.has_distances) == (9, True)


def test_an_item_can_be_left_out_of_each_ranking() -> None:
    without = torch.tensor([2, 3])

    ranking = rank_distances(torch.tensor([[5, 0, 5, 5], [2, 2, 2, 3]]), GRADES, bits=8, leave_out=without)

    assert items(ranking) == [*[(0, 1, 2.5), (5, 1, 0.0), (5, 1, 0.5)], (2, 3, 0.0)]
    assert ranking.num_items == 3


def test_hamming_distances_with_shared_labels_rank_like_codes() -> None:
    rng = torch.Generator().manual_seed(0)
    query, database = (pack(torch.randn(n, 16, generator=rng)) for n in (20, 300))
    query_labels, database_labels = ((torch.rand(n, 6, generator=rng) < 0.3).long() for n in (20, 300))
    counted = Database(database, database_labels, 16).rank(query, query_labels)

    distances, shared = hamming_distance(query, database), query_labels @ database_labels.T
    by_distance, by_score = rank_distances(distances, shared, 16), rank_scores(-distances, shared)

    for order in ("tied", "worst", "best", "ideal"):
        expected = getattr(counted, order)
        for ranking in (by_distance, by_score):
            found = getattr(ranking, order)
            for name in ("starts", "items", "relevant", "gain"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        np.testing.assert_array_equal(getattr(by_distance, order).distance, expected.distance)


@pytest.mark.parametrize(
    ("scores", "relevance", "message"),
    [
        (torch.tensor([[1.0, torch.nan]]), torch.ones(1, 2), "scores has 1 NaN values, the first for query 0"),
        (
            torch.ones(1, 2),
            torch.tensor([[torch.nan, 1.0]]),
            "relevance must be finite and at least 0, got nan for query 0 and item 0",
        ),
        (torch.ones(1, 2), torch.tensor([[1.0, -1.0]]), "at least 0, got -1.0 for query 0 and item 1"),
        (torch.ones(2, 2), torch.tensor([[1.0, 1.0], [torch.inf, 0]]), "got inf for query 1 and item 0"),
        (torch.ones(1, 2), torch.ones(1, 3), r"must both be \(Q, N\), got \(1, 2\) and \(1, 3\)"),
        (torch.ones(0, 2), torch.ones(0, 2), r"scores are empty: \(0, 2\)"),
    ],
)
def test_bad_scores_are_named(scores: Tensor, relevance: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rank_scores(scores, relevance)
