import math
from itertools import product

import pytest
import torch

from softhash.losses.triplets import triplets


@pytest.mark.parametrize("with_itself", [False, True])
def test_the_first_of_two_others_is_the_more_similar_one(with_itself: bool) -> None:
    similarity = torch.randint(3, (5, 5), generator=torch.Generator().manual_seed(0)).float()

    found = triplets(similarity, with_itself=with_itself)

    for a, p, n in product(range(5), repeat=3):
        wanted = similarity[a, p] > similarity[a, n] and (with_itself or a not in {p, n})
        assert found[a, p, n] == wanted


def test_what_is_not_a_number_is_in_no_triplet() -> None:
    assert triplets(torch.tensor([[1.0, math.nan, 0.0]]), with_itself=True).nonzero().tolist() == [[0, 0, 2]]
