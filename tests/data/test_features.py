from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import RandomCrop

from softhash.backbones.small_cnn import SmallCNN
from softhash.data.base import SETS
from softhash.data.features import FeatureDataModule


@pytest.fixture
def parts(tmp_path: Path, write_mirflickr25k: Callable[..., Any], mirflickr25k: Callable[..., Any]) -> tuple[Any, SmallCNN]:
    write_mirflickr25k(tmp_path / "data")
    torch.manual_seed(0)
    backbone = SmallCNN(channels=3, width=4, frozen=True)
    return mirflickr25k(tmp_path / "data", augment=RandomCrop(32)), backbone


def test_features_are_those_of_the_images_without_augmentation(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    data, backbone = parts
    cached = FeatureDataModule(data, backbone, str(tmp_path))

    cached.prepare_data()
    cached.setup()

    plain = data.plain_train()
    expected = torch.cat([backbone(plain[row].inputs[None]) for row in range(len(plain))])
    torch.testing.assert_close(cached.sets["train"].images, expected, rtol=1e-4, atol=1e-5)
    batch = next(iter(cached.test_dataloader()[0]))
    torch.testing.assert_close(batch.inputs, cached.sets["query"].images[batch.rows])
    torch.testing.assert_close(batch.labels, data.sets["query"].labels[batch.rows])


def test_protocol_and_pictures_are_those_of_the_images(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    data, backbone = parts
    cached = FeatureDataModule(data, backbone, str(tmp_path))
    cached.prepare_data()
    cached.setup()

    assert cached.checksum() == data.checksum()
    torch.testing.assert_close(cached.sets["query"].image(2), data.sets["query"].image(2))


def test_what_is_on_disk_is_not_computed_again(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    data, backbone = parts
    FeatureDataModule(data, backbone, str(tmp_path)).prepare_data()

    def never(_: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    second = FeatureDataModule(data, backbone, str(tmp_path))
    backbone.network.forward = never  # type: ignore[method-assign, assignment]
    second.prepare_data()
    second.setup()

    assert [len(second.sets[name]) for name in SETS] == [len(data.sets[name]) for name in SETS]


def test_other_weights_or_another_crop_have_other_features(
    parts: tuple[Any, SmallCNN], tmp_path: Path, mirflickr25k: Callable[..., Any]
) -> None:
    data, backbone = parts
    smaller = mirflickr25k(tmp_path / "data", image_size=28)
    keys = []
    for source, network in ((data, backbone), (data, SmallCNN(channels=3, width=4, frozen=True)), (smaller, backbone)):
        cached = FeatureDataModule(source, network, str(tmp_path))
        cached.prepare_data()
        keys.append(cached.key())

    assert len(set(keys)) == 3


def test_a_set_whose_computation_was_interrupted_is_computed_again(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    data, backbone = parts
    first = FeatureDataModule(data, backbone, str(tmp_path))
    first.prepare_data()
    path = tmp_path / "features" / first.key() / "query.npy"
    whole = np.load(path)
    path.unlink()

    first.prepare_data()

    np.testing.assert_array_equal(np.load(path), whole)
