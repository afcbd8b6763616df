import pytest
import torch

from softhash.losses.csq import CSQLoss
from softhash.losses.dhn import DHNLoss
from softhash.losses.dpsh import DPSHLoss
from softhash.losses.hashnet import HashNetLoss
from softhash.losses.idhn import IDHNLoss
from softhash.losses.isdh import ISDHLoss


@pytest.mark.parametrize("loss", [CSQLoss, DHNLoss, DPSHLoss, IDHNLoss, ISDHLoss])
def test_a_negative_weight_is_refused(loss: type) -> None:
    with pytest.raises(ValueError, match=r"quantization_weight must be at least 0, got -1"):
        loss(quantization_weight=-1)


@pytest.mark.parametrize(
    ("loss", "options"), [(IDHNLoss, "official, paper or dhp"), (HashNetLoss, "balanced or jaccard")]
)
def test_an_unknown_variant_is_refused_with_those_that_exist(loss: type, options: str) -> None:
    with pytest.raises(ValueError, match=options):
        loss(variant="offical")


def test_hashnet_needs_two_images_a_batch() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 2, got 1"):
        HashNetLoss()(torch.ones(1, 4), torch.ones(1, 3), torch.arange(1))


def test_a_graded_similarity_changes_a_method_of_shared_labels() -> None:
    relaxed, labels = torch.full((2, 4), 0.5), torch.tensor([[1.0, 1.0], [1.0, 0.0]])

    shared, graded = (
        DHNLoss(quantization_weight=0, kind=kind)(relaxed, labels, torch.arange(2)) for kind in ("share", "cosine")
    )

    # theta = 1 for all four pairs; s differs for the two mixed ones: 1, or 1 / sqrt 2
    assert (graded["pair"] - shared["pair"]).item() == pytest.approx((1 - 0.5**0.5) / 2)
