import pytest
import torch
from torch import nn

from softhash.backbones.base import Backbone
from softhash.backbones.small_cnn import SmallCNN


def test_pixels_are_normalised_by_the_networks_own_values() -> None:
    backbone = Backbone(nn.Identity(), 3, mean=[0.5, 0.25, 0.0], std=[0.5, 0.25, 1.0], frozen=False)

    features = backbone(torch.tensor([255, 0, 255], dtype=torch.uint8).reshape(1, 3, 1, 1))

    torch.testing.assert_close(features, torch.tensor([[1.0, -1.0, 1.0]]))


def test_a_grey_image_is_repeated_to_the_channels_that_the_network_wants() -> None:
    backbone = Backbone(nn.Identity(), 12, mean=[0.0, 0.5, 0.0], std=[1.0, 1.0, 0.5], frozen=False)

    features = backbone(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8))

    torch.testing.assert_close(features.reshape(3, 4), torch.tensor([[1.0], [0.5], [2.0]]).expand(3, 4))


def test_a_frozen_network_has_no_gradient_and_stays_in_evaluation_mode() -> None:
    backbone = SmallCNN(frozen=True).train()

    assert not backbone.network.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.parametrize("side", [16, 28, 33])
def test_the_small_network_takes_pictures_of_any_size(side: int) -> None:
    backbone = SmallCNN(channels=1)

    features = backbone(torch.zeros(2, 1, side, side, dtype=torch.uint8))

    assert features.shape == (2, backbone.out_features)
    assert features.dtype == torch.float32
