from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from softhash.backbones.averaged import AveragedViews
from softhash.backbones.features import Features
from softhash.backbones.small_cnn import SmallCNN
from softhash.data.features import FeatureDataModule


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (3, 1, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def small_cnn(frozen: bool) -> SmallCNN:
    torch.manual_seed(0)
    return SmallCNN(channels=1, width=4, frozen=frozen)


def test_features_are_the_mean_of_an_image_and_its_mirror_image(images: Tensor) -> None:
    alone = small_cnn(frozen=True)

    features = AveragedViews(alone, mirrored=True, shares=[1.0])(images)

    backwards = images[:, :, :, list(range(23, -1, -1))]
    assert features.shape == (3, alone.out_features)
    torch.testing.assert_close(features, (alone(images) + alone(backwards)) / 2)
    assert not torch.allclose(features, alone(images))


def test_a_share_below_one_gives_the_corners_and_the_centre(images: Tensor) -> None:
    seen: list[Tensor] = []
    backbone = small_cnn(frozen=True)
    backbone.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))

    features = AveragedViews(backbone, mirrored=False, shares=[0.75])(images)

    corners = [images[:, :, top : top + 12, left : left + 18] for top in (0, 4) for left in (0, 6)]
    expected = [*corners, images[:, :, 2:14, 3:21]]
    assert len(seen) == 5
    assert all(any(torch.equal(view, crop) for view in seen) for crop in expected)
    torch.testing.assert_close(features, sum(backbone(crop) for crop in expected) / 5)


def test_all_views_weigh_the_same(images: Tensor) -> None:
    backbone = small_cnn(frozen=True)

    together = AveragedViews(backbone, mirrored=True, shares=[1.0, 0.5])(images)

    whole, crops = (AveragedViews(backbone, mirrored=True, shares=[share])(images) for share in (1.0, 0.5))
    torch.testing.assert_close(together, (2 * whole + 10 * crops) / 12)


def test_an_image_that_equals_its_mirror_image_keeps_its_features() -> None:
    half = torch.randint(256, (2, 1, 16, 8), dtype=torch.uint8)
    symmetric = torch.cat([half, half.flip(3)], 3)
    backbone = small_cnn(frozen=True)

    torch.testing.assert_close(AveragedViews(backbone, mirrored=True, shares=[1.0])(symmetric), backbone(symmetric))


def test_a_network_that_learns_sees_the_centre_alone_until_it_is_evaluated(images: Tensor) -> None:
    backbone = small_cnn(frozen=False)
    averaged = AveragedViews(backbone, mirrored=True, shares=[0.75])

    learning = averaged.train()(images)
    evaluated = averaged.eval()(images)

    torch.testing.assert_close(learning, backbone.train()(images[:, :, 2:14, 3:21]))
    assert not torch.allclose(evaluated, backbone.eval()(images[:, :, 2:14, 3:21]))


def test_a_frozen_network_sees_all_views_in_training_too(images: Tensor) -> None:
    averaged = AveragedViews(small_cnn(frozen=True), mirrored=True, shares=[1.0])

    assert averaged.frozen
    assert torch.equal(averaged.train()(images), averaged.eval()(images))


def test_cached_features_of_other_views_are_others(
    tmp_path: Path, write_mirflickr25k: Callable[..., Any], mirflickr25k: Callable[..., Any]
) -> None:
    write_mirflickr25k(tmp_path / "data")
    torch.manual_seed(0)
    alone = SmallCNN(channels=3, width=4, frozen=True)
    choices: list[nn.Module] = [
        alone,
        *(AveragedViews(alone, mirrored, [share]) for mirrored in (True, False) for share in (1.0, 0.5)),
    ]

    folders = [FeatureDataModule(mirflickr25k(tmp_path / "data"), one, str(tmp_path)).cache.folder for one in choices]

    assert len(set(folders)) == 5


@pytest.mark.parametrize("shares", [[], [0.0], [1.0, 1.2], [-0.5]])
def test_shares_out_of_range_are_refused(shares: list[float]) -> None:
    with pytest.raises(ValueError, match=r"views\.shares must be one or more numbers above 0 and at most 1, got \["):
        AveragedViews(small_cnn(frozen=True), mirrored=True, shares=shares)


def test_features_have_no_views() -> None:
    with pytest.raises(ValueError, match=r"views=\.\.\. averages over views of images, but the data are features"):
        AveragedViews(Features(8), mirrored=True, shares=[1.0])
