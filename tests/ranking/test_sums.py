"""Sums against exact fractions; against every permutation of ties they are tested with the metrics."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from softhash.ranking.ranking import Ranking
from softhash.ranking.sums import discount_table, harmonic_table, mean_gain_at_relevant_ranks


def test_the_tables_begin_with_sums_of_no_and_of_one_term() -> None:
    assert harmonic_table(3)[:4].tolist() == pytest.approx([0, 1, 1.5, 11 / 6])
    assert discount_table(2)[:3].tolist() == pytest.approx([0, 1, 1 + 1 / math.log2(3)])


def test_tables_are_right_to_the_last_digit_and_begin_like_each_other() -> None:
    table = harmonic_table(300_000)

    assert table[250_000] == math.fsum(1 / k for k in range(1, 250_001))
    assert np.array_equal(harmonic_table(1000), table[: len(harmonic_table(1000))])


def exact(before: int, items: int, relevant: int) -> Fraction:
    """E of the sum over relevant ranks of precision, for one block after items of which none is relevant."""
    single = sum(Fraction(1, before + t) for t in range(1, items + 1))
    pairs = sum(Fraction(t - 1, before + t) for t in range(1, items + 1))
    share = Fraction(relevant, items)
    return share * single + (share * Fraction(relevant - 1, items - 1) * pairs if items > 1 else 0)


@pytest.mark.parametrize("before", [0, 1, 63, 64, 65, 1000, 20_000, 2_000_000])
@pytest.mark.parametrize(("items", "relevant"), [(1, 1), (2, 1), (2, 2), (3, 2), (40, 3), (40, 40), (500, 7)])
def test_a_few_relevant_items_at_far_ranks_keep_their_digits(before: int, items: int, relevant: int) -> None:
    counts = torch.tensor([[[before, 0], [items - relevant, relevant]]])
    ranking = Ranking.of_counts(counts)

    total = mean_gain_at_relevant_ranks(ranking.tied, before + items, harmonic_table(before + items))

    assert total.item() == pytest.approx(float(exact(before, items, relevant)), rel=1e-11)
