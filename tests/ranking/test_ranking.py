import torch

from softhash.ranking.ranking import Ranking

# Two queries: 0 at distance 0: one item with no label; at distance 2: three items with 0, 1, 2 labels; the second query
# has two items with one label at distance 1, two without at distance 2.
COUNTS = torch.tensor([[[1, 0, 0], [0, 0, 0], [1, 1, 1]], [[0, 0, 0], [0, 2, 0], [2, 0, 0]]])


def blocks(ranking: Ranking, order: str) -> list[tuple[int, int, int, float]]:
    found = ranking.blocks(order)
    return list(
        zip(found.distance.tolist(), found.items.tolist(), found.relevant.tolist(), found.gain.tolist(), strict=True)
    )


def test_sizes_are_those_of_the_counts() -> None:
    ranking = Ranking.of_counts(COUNTS)

    assert (len(ranking), ranking.num_items, ranking.depth) == (2, 4, 3)
    assert ranking.num_relevant.tolist() == [2.0, 2.0]
    assert ranking.num_relevant.dtype == torch.float64


def test_expected_order_has_a_block_for_each_distance() -> None:
    ranking = Ranking.of_counts(COUNTS)

    assert ranking.tied.starts.tolist() == [0, 2, 4]
    assert blocks(ranking, "expected") == [(0, 1, 0, 0.0), (2, 3, 2, 3.0), (1, 2, 2, 2.0), (2, 2, 0, 0.0)]


def test_worst_and_best_order_have_one_for_each_grade_as_well() -> None:
    ranking = Ranking.of_counts(COUNTS)

    tie = [(2, 1, 0, 0.0), (2, 1, 1, 1.0), (2, 1, 1, 2.0)]
    rest = [(1, 2, 2, 2.0), (2, 2, 0, 0.0)]
    assert ranking.worst.starts.tolist() == ranking.best.starts.tolist() == [0, 4, 6]
    assert blocks(ranking, "worst") == [(0, 1, 0, 0.0), *tie, *rest]
    assert blocks(ranking, "best") == [(0, 1, 0, 0.0), *tie[::-1], *rest]


def test_the_ideal_order_forgets_distances() -> None:
    ideal = Ranking.of_counts(COUNTS).ideal

    assert ideal.starts.tolist() == [0, 3, 5]
    assert ideal.items.tolist() == [1, 1, 2, 2, 2]
    assert ideal.gain.tolist() == [2.0, 1.0, 0.0, 2.0, 0.0]


def test_a_binary_ranking_keeps_whether_the_grade_is_above_zero() -> None:
    binary = Ranking.of_counts(COUNTS).binary

    assert binary.grades.tolist() == [0.0, 1.0]
    assert blocks(binary, "worst") == [(0, 1, 0, 0.0), (2, 1, 0, 0.0), (2, 2, 2, 2.0), (1, 2, 2, 2.0), (2, 2, 0, 0.0)]
    assert binary.binary is binary


def test_what_was_asked_for_once_is_not_computed_again() -> None:
    ranking = Ranking.of_counts(COUNTS)

    assert ranking.best is ranking.blocks("best")
    assert ranking.binary is ranking.binary


def test_items_within_each_distance_add_up() -> None:
    items, relevant = Ranking.of_counts(COUNTS).within

    assert items.tolist() == [[1, 1, 4], [0, 2, 4]]
    assert relevant.tolist() == [[0, 0, 2], [0, 2, 2]]


def test_pairs_are_the_counts_of_all_queries() -> None:
    ranking = Ranking.of_counts(COUNTS)

    assert torch.equal(ranking.pairs(3), COUNTS.sum(0))
    assert ranking.binary.pairs(2).tolist() == [[1, 0], [0, 2], [3, 2]]


def test_counts_of_any_stride_are_read() -> None:
    turned = COUNTS.permute(2, 1, 0).contiguous().permute(2, 1, 0)

    assert torch.equal(Ranking.of_counts(turned).pairs(3), COUNTS.sum(0))


def test_no_queries_are_a_ranking_too() -> None:
    ranking = Ranking.of_counts(COUNTS[:0])

    assert (len(ranking), ranking.num_items) == (0, 0)
    assert ranking.num_relevant.shape == (0,)
