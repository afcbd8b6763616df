from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from softhash.functional.similarity import cosine
from softhash.losses.hashnet import HashNetLoss


def test_the_authors_code(golden: Callable[..., None]) -> None:
    golden(HashNetLoss(similar_weight=5), 0.692618, [0.310161, -0.454595, 0.553763, -0.233626])


def test_the_paper(golden: Callable[..., None]) -> None:
    golden(HashNetLoss("balanced"), 0.849315, [0.123995, -0.190656, 0.253242, -0.121218])


def test_the_papers_weights_of_multi_label_images(golden: Callable[..., None]) -> None:
    golden(HashNetLoss("jaccard"), 0.430552, [0.027776, -0.055602, 0.069813, -0.056028])


def test_a_batch_has_two_images_at_least() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 2, got 1"):
        HashNetLoss()(torch.ones(1, 4), torch.ones(1, 3), torch.arange(1))


def test_a_graded_similarity_weighs_a_pair_between_similar_and_dissimilar() -> None:
    relaxed, labels = torch.zeros(2, 4), torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    loss = HashNetLoss(similar_weight=3, similarity=cosine)

    pair = loss(relaxed + 1, labels, torch.arange(2))["pair"]

    # one pair, theta = 10 and s = 1 / sqrt 2; its weight cancels
    assert pair.item() == pytest.approx(10 - 10 * 0.5**0.5, abs=1e-3)


def test_an_unknown_variant_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="official, balanced, jaccard"):
        HashNetLoss(variant="offical")


def test_weights_by_labels_are_refused_where_there_are_none() -> None:
    train = SimpleNamespace(labels=torch.zeros(3, 0), bits=4, similarity=lambda rows, others: rows[:, None] == others)

    with pytest.raises(ValueError, match="variant=jaccard weighs pairs by their labels"):
        HashNetLoss("jaccard").setup(train)
