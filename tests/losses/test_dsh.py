from collections.abc import Callable
from typing import Any

import pytest
import torch

from softhash.functional.similarity import cosine
from softhash.losses.dsh import DSHLoss

Golden = Callable[..., None]


def test_the_authors_code(golden: Golden) -> None:
    golden(DSHLoss(), 1.290167, [0.364167, -0.147500, 0.130833, 0.114167])


def test_deephash_pytorch_with_a_memory_bank(golden: Golden) -> None:
    golden(DSHLoss("dhp", quantization_weight=0.1), 0.737500, [0.262500, -0.100000, 0.087500, 0.075000], first=2)


@pytest.mark.parametrize(("similar", "pair"), [(True, 4.0), (False, 0.5)])
def test_images_that_differ_are_pushed_no_farther_than_the_margin(similar: bool, pair: float) -> None:
    relaxed = torch.tensor([[1.0, 1, 1, 1], [-1, -1, 1, 1]])  # squared distance 8
    labels = torch.tensor([[1.0, 0], [1, 0]] if similar else [[1.0, 0], [0, 1]])

    terms = DSHLoss(margin_per_bit=2.25)(relaxed, labels, torch.arange(2))  # margin 9

    assert terms["pair"].item() == pair
    assert terms["quantization"].item() == 0


def test_a_graded_similarity_is_a_share_of_both_costs() -> None:
    relaxed, labels = torch.tensor([[1.0, 1], [0, 1]]), torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 0]])

    terms = DSHLoss(similarity=cosine)(relaxed, labels, torch.arange(2))

    assert terms["pair"].item() == (0.5 * 1 + 0.5 * 3) / 2  # squared distance 1, margin 4, cosine 1/2


def test_one_image_has_no_pairs() -> None:
    assert DSHLoss()(torch.ones(1, 4), torch.ones(1, 2), torch.arange(1))["pair"].item() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "paper"}, "variant must be one of official, dhp, got 'paper'"),
        ({"margin_per_bit": -1}, "margin_per_bit must be at least 0, got -1"),
        ({"quantization_weight": -1}, "quantization_weight must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DSHLoss(**arguments)
