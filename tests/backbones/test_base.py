import io

import pytest
import torch
from torch import nn

from softhash.backbones.base import Backbone


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1))


def test_pixels_are_normalised_by_the_networks_own_values() -> None:
    backbone = Backbone(nn.Identity(), 3, mean=[0.5, 0.25, 0.0], std=[0.5, 0.25, 1.0], frozen=False)

    features = backbone(torch.tensor([255, 0, 255], dtype=torch.uint8).reshape(1, 3, 1, 1))

    torch.testing.assert_close(features, torch.tensor([[1.0, -1.0, 1.0]]))


def test_a_grey_image_is_repeated_to_the_channels_that_the_network_wants() -> None:
    backbone = Backbone(nn.Identity(), 12, mean=[0.0, 0.5, 0.0], std=[1.0, 1.0, 0.5], frozen=False)

    features = backbone(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8))

    torch.testing.assert_close(features.reshape(3, 4), torch.tensor([[1.0], [0.5], [2.0]]).expand(3, 4))


def test_the_network_gets_pixels_with_channels_last() -> None:
    seen = []
    probe = nn.Identity()
    probe.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    backbone = Backbone(probe, 48, mean=[0.5] * 3, std=[0.5] * 3, frozen=False)

    backbone(torch.zeros(2, 3, 4, 4, dtype=torch.uint8))

    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert seen[0].shape == (2, 3, 4, 4)


@pytest.mark.parametrize("autocast", [False, True])
def test_features_are_float32_in_every_training_precision(autocast: bool) -> None:
    backbone = Backbone(nn.Conv2d(3, 5, 2), 5, mean=[0.5] * 3, std=[0.5] * 3, frozen=False)

    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        features = backbone(torch.zeros(2, 3, 2, 2, dtype=torch.uint8))

    assert features.dtype == torch.float32
    assert features.shape == (2, 5)


def test_a_frozen_network_has_no_gradient_and_stays_in_evaluation_mode() -> None:
    backbone = Backbone(network(), 4, mean=[0.5] * 3, std=[0.5] * 3, frozen=True).train()
    images = torch.randint(256, (8, 3, 5, 5), dtype=torch.uint8)

    first, second = backbone(images), backbone(images)

    assert not any(module.training for module in backbone.network.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not first.requires_grad
    assert torch.equal(first, second)  # neither dropout nor moving statistics


def test_a_network_that_is_not_frozen_switches_to_training_and_back() -> None:
    backbone = Backbone(network(), 4, mean=[0.5] * 3, std=[0.5] * 3, frozen=False)

    assert backbone.train().network.training
    assert not backbone.eval().network.training
    assert all(parameter.requires_grad for parameter in backbone.parameters())


def test_weights_written_and_read_give_the_same_features() -> None:
    first, second = (Backbone(network(), 4, mean=[0.4] * 3, std=[0.2] * 3, frozen=True) for _ in range(2))
    images = torch.randint(256, (2, 3, 5, 5), dtype=torch.uint8)
    before = second(images)

    second.load_state_dict(first.state_dict())

    assert not torch.equal(before, first(images))
    assert torch.equal(second(images), first(images))


def test_an_exported_program_keeps_the_normalisation() -> None:
    backbone = Backbone(network(), 4, mean=[0.4] * 3, std=[0.2] * 3, frozen=True)
    images = torch.randint(256, (2, 3, 5, 5), dtype=torch.uint8)
    file = io.BytesIO()
    torch.export.save(torch.export.export(backbone, (images,)), file)
    file.seek(0)

    loaded = torch.export.load(file).module()

    torch.testing.assert_close(loaded(images), backbone(images))


def test_images_too_small_for_the_network_are_an_error_that_says_their_size() -> None:
    backbone = Backbone(nn.Conv2d(3, 4, 5), 4, mean=[0.5] * 3, std=[0.5] * 3, frozen=False)

    with pytest.raises(ValueError, match=r"does not take images of 4 x 3 pixels: .*[Kk]ernel size"):
        backbone(torch.zeros(2, 3, 4, 3, dtype=torch.uint8))


def test_frozen_normalisation_keeps_its_statistics_while_the_rest_is_trained() -> None:
    backbone = Backbone(network(), 4, mean=[0.5] * 3, std=[0.5] * 3, frozen=False, frozen_norm=True)
    convolution, norm, dropout, _ = backbone.network
    before = norm.running_mean.clone()

    backbone(torch.randint(256, (8, 3, 5, 5), dtype=torch.uint8)).sum().backward()

    assert torch.equal(norm.running_mean, before)
    assert dropout.training
    assert convolution.weight.grad is not None
    assert norm.weight.grad is not None
