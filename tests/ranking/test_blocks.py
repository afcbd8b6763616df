import numpy as np

from softhash.ranking.blocks import cells_of, ideal_blocks, relevant_or_not, sorted_blocks, tied_blocks

# Two queries; at distance 1 of the first there is one item of each grade.
COUNTS = np.array([[[2, 0, 0], [1, 1, 1]], [[0, 0, 0], [0, 4, 0]]])
GAINS = np.array([0.0, 1.0, 3.0])


def test_cells_are_the_counts_that_are_not_zero_nearest_first() -> None:
    cells = cells_of(COUNTS)

    assert cells.starts.tolist() == [0, 4, 5]
    assert cells.distance.tolist() == [0, 1, 1, 1, 1]
    assert cells.level.tolist() == [0, 0, 1, 2, 1]
    assert cells.items.tolist() == [2, 1, 1, 1, 4]


def test_relevant_cells_of_one_distance_are_joined() -> None:
    cells = relevant_or_not(cells_of(COUNTS), GAINS)

    assert cells.starts.tolist() == [0, 3, 4]
    assert cells.level.tolist() == [0, 0, 1, 1]
    assert cells.items.tolist() == [2, 1, 2, 4]


def test_a_tied_block_adds_up_what_is_at_one_distance() -> None:
    blocks = tied_blocks(cells_of(COUNTS), GAINS)

    assert blocks.starts.tolist() == [0, 2, 3]
    assert blocks.distance.tolist() == [0, 1, 1]
    assert blocks.items.tolist() == [2, 3, 4]
    assert blocks.relevant.tolist() == [0, 2, 4]
    assert blocks.gain.tolist() == [0.0, 4.0, 4.0]


def test_sorted_blocks_rise_or_fall_inside_a_distance_alone() -> None:
    worst, best = (sorted_blocks(cells_of(COUNTS), GAINS, best=best) for best in (False, True))

    assert worst.gain.tolist() == [0.0, 0.0, 1.0, 3.0, 4.0]
    assert best.gain.tolist() == [0.0, 3.0, 1.0, 0.0, 4.0]
    assert worst.relevant.tolist() == [0, 0, 1, 1, 4]
    assert best.items.tolist() == [2, 1, 1, 1, 4]
    assert worst.starts.tolist() == best.starts.tolist() == [0, 4, 5]


def test_ideal_blocks_fall_whatever_the_distance() -> None:
    blocks = ideal_blocks(cells_of(COUNTS), GAINS)

    assert blocks.starts.tolist() == [0, 3, 4]
    assert blocks.items.tolist() == [1, 1, 3, 4]
    assert blocks.relevant.tolist() == [1, 1, 0, 4]
    assert blocks.gain.tolist() == [3.0, 1.0, 0.0, 4.0]
