import pytest
import torch

from softhash.backbones.small_cnn import SmallCNN


@pytest.mark.parametrize("side", [16, 28, 33])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_takes_pictures_of_any_size(side: int, channels: int) -> None:
    backbone = SmallCNN(channels=channels, width=8)

    features = backbone(torch.zeros(2, channels, side, side, dtype=torch.uint8))

    assert features.shape == (2, backbone.out_features) == (2, 32)
    assert features.dtype == torch.float32


def test_a_feature_says_what_is_there_and_not_where() -> None:
    backbone = SmallCNN(channels=1, width=8).eval()
    here, there = torch.zeros(2, 1, 1, 96, 96, dtype=torch.uint8)  # so wide that no border is seen with the square
    here[..., 40:48, 40:48] = 255
    there[..., 48:56, 44:52] = 255  # moved by multiples of 4, the product of both poolings

    torch.testing.assert_close(backbone(here), backbone(there))


def test_every_parameter_gets_a_gradient() -> None:
    backbone = SmallCNN(channels=1, width=8)

    backbone(torch.randint(256, (4, 1, 16, 16), dtype=torch.uint8)).sum().backward()

    assert all(parameter.grad is not None for parameter in backbone.parameters())
