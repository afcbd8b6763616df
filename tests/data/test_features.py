from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import CenterCrop, RandomCrop

from softhash.backbones.small_cnn import SmallCNN
from softhash.data.base import Draw
from softhash.data.features import FeatureDataModule
from softhash.data.protocols import SPLITS


@pytest.fixture
def parts(
    tmp_path: Path, write_mirflickr25k: Callable[..., Any], mirflickr25k: Callable[..., Any]
) -> tuple[Any, SmallCNN]:
    write_mirflickr25k(tmp_path / "data")
    torch.manual_seed(0)
    backbone = SmallCNN(channels=3, width=4, frozen=True)
    return mirflickr25k(tmp_path / "data", augment=RandomCrop(32)), backbone


def prepared(data: Any, backbone: SmallCNN, cache_dir: Path) -> FeatureDataModule:
    cached = FeatureDataModule(data, backbone, str(cache_dir))
    cached.prepare_data()
    cached.setup()
    return cached


def inputs(split: Any) -> torch.Tensor:
    return split.__getitems__(range(len(split))).inputs


def test_features_are_those_of_the_images_without_augmentation(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    data, backbone = parts

    cached = prepared(data, backbone, tmp_path)

    for name in SPLITS:
        plain = data.plain_train() if name == "train" else data.sets[name]
        expected = torch.cat([backbone(plain[row].inputs[None]) for row in range(len(plain))])
        torch.testing.assert_close(inputs(cached.sets[name]), expected, rtol=1e-4, atol=1e-5)
    batch = next(iter(cached.test_dataloader()[0]))
    torch.testing.assert_close(batch.inputs, inputs(cached.sets["query"])[batch.rows])
    torch.testing.assert_close(batch.labels, data.sets["query"].labels[batch.rows])


def test_one_row_is_what_a_batch_has(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    database = prepared(*parts, tmp_path).sets["database"]

    batch = database.__getitems__([4, 2])

    torch.testing.assert_close(database[2].inputs, batch.inputs[1])
    assert batch.rows.tolist() == [4, 2]


def test_protocol_and_pictures_are_those_of_the_images(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    cached = prepared(*parts, tmp_path)

    assert cached.checksum() == parts[0].checksum()
    torch.testing.assert_close(cached.sets["query"].image(2), parts[0].sets["query"].image(2))


def test_tags_go_with_the_features_of_their_images(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    data, backbone = parts
    data.setup()
    data.tags = np.arange(40)[:, None]

    query = prepared(data, backbone, tmp_path).sets["query"]

    numbers = [int(name.removeprefix("mirflickr/im").removesuffix(".jpg")) for name in query.ids]
    assert query.__getitems__(range(len(query))).tags.flatten().tolist() == [number - 1 for number in numbers]


def test_what_is_on_disk_is_not_computed_again(
    parts: tuple[Any, SmallCNN], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared(*parts, tmp_path)

    def never(*_: Any) -> torch.Tensor:
        raise AssertionError

    monkeypatch.setattr(SmallCNN, "forward", never)
    second = prepared(*parts, tmp_path)

    torch.testing.assert_close(inputs(second.sets["query"]), inputs(first.sets["query"]))


def test_other_weights_another_crop_and_another_photo_have_other_features(
    parts: tuple[Any, SmallCNN], tmp_path: Path, mirflickr25k: Callable[..., Any]
) -> None:
    data, backbone = parts
    smaller = mirflickr25k(tmp_path / "data", image_size=28)
    other = SmallCNN(channels=3, width=4, frozen=True)
    made = [
        prepared(data, backbone, tmp_path),
        prepared(data, other, tmp_path),
        prepared(smaller, backbone, tmp_path),
    ]
    folders = {cached.cache.folder for cached in made}
    Image.new("RGB", (64, 48)).save(tmp_path / "data" / str(data.sets["database"].ids[3]))

    folders.add(prepared(mirflickr25k(tmp_path / "data"), backbone, tmp_path).cache.folder)

    assert len(folders) == 4


def test_training_images_that_are_searched_are_computed_once(
    tmp_path: Path, write_mirflickr25k: Callable[..., Any], mirflickr25k: Callable[..., Any]
) -> None:
    write_mirflickr25k(tmp_path / "data")
    data = mirflickr25k(tmp_path / "data", split={"train_in_database": True})

    cached = prepared(data, SmallCNN(channels=3, width=4, frozen=True), tmp_path)

    assert sum(len(split) for split in cached.sets.values()) > 40
    assert cached.cache.count <= 40


def with_views(data: Any, backbone: SmallCNN, cache_dir: Path, views: int) -> FeatureDataModule:
    cached = FeatureDataModule(data, backbone, str(cache_dir), views)
    cached.prepare_data()
    cached.setup()
    return cached


def drawn(split: Any, row: int, seed: int) -> torch.Tensor:
    features: torch.Tensor = split.__getitems__([Draw(row, seed)]).inputs[0]
    return features


def test_training_draws_from_features_of_augmented_images(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    data, backbone = parts

    train = with_views(data, backbone, tmp_path, 3).sets["train"]

    images, row = data.sets["train"], 2
    number = 3 * sorted([*images.ids, *data.sets["validation"].ids]).index(images.ids[row])
    for view in range(3):
        augmented = images.__getitems__([Draw(row, number + view)]).inputs
        for seed in (view, 3 * 10**6 + view):
            torch.testing.assert_close(drawn(train, row, seed), backbone(augmented)[0], rtol=1e-4, atol=1e-5)
    assert not torch.equal(drawn(train, row, 0), drawn(train, row, 1))


def test_images_are_evaluated_without_augmentation(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    plain, cached = prepared(*parts, tmp_path), with_views(*parts, tmp_path, 3)

    for name in SPLITS:
        torch.testing.assert_close(inputs(cached.sets[name]), inputs(plain.sets[name]), rtol=0, atol=0)
    batch = next(iter(cached.predict_dataloader()))
    torch.testing.assert_close(batch.inputs, inputs(plain.sets["train"])[batch.rows], rtol=0, atol=0)


def test_two_views_of_an_image_differ(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    train = with_views(*parts, tmp_path, 2).sets["train"]

    pair = train.__getitems__([Draw(1, 4), Draw(1, 8), Draw(2, 6)]).inputs  # all seeds choose the first view

    torch.testing.assert_close(pair, torch.stack([drawn(train, 1, 0), drawn(train, 1, 1), drawn(train, 2, 0)]))
    assert not torch.equal(pair[0], pair[1])


def test_seeds_that_divide_training_and_validation_otherwise_share_their_views(
    parts: tuple[Any, SmallCNN], tmp_path: Path, mirflickr25k: Callable[..., Any]
) -> None:
    data, backbone = parts
    other = mirflickr25k(tmp_path / "data", augment=RandomCrop(32), seed=1)

    folders = {with_views(each, backbone, tmp_path, 2).views_cache.folder for each in (data, other)}

    assert set(data.sets["train"].ids) != set(other.sets["train"].ids)
    assert len(folders) == 1


def test_other_augmentations_and_numbers_of_views_have_other_features(
    parts: tuple[Any, SmallCNN], tmp_path: Path, mirflickr25k: Callable[..., Any]
) -> None:
    data, backbone = parts
    centre = mirflickr25k(tmp_path / "data", augment=CenterCrop(32))
    made = [with_views(data, backbone, tmp_path, 2), with_views(data, backbone, tmp_path, 3)]
    made.append(with_views(centre, backbone, tmp_path, 2))

    folders = {cached.cache.folder for cached in made}
    assert len(folders) == 1
    assert len(folders | {cached.views_cache.folder for cached in made}) == 4


def test_a_negative_number_of_views_is_refused(parts: tuple[Any, SmallCNN], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cached_views must be at least 0, got -1"):
        FeatureDataModule(*parts, str(tmp_path), -1)


def test_what_an_interrupted_run_has_computed_is_kept(
    parts: tuple[Any, SmallCNN], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepared(*parts, tmp_path / "whole")
    forward, seen = SmallCNN.forward, []

    def interrupted(self: SmallCNN, images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        if len(seen) == 5:
            raise KeyboardInterrupt
        return forward(self, images)

    monkeypatch.setattr(SmallCNN, "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepared(*parts, tmp_path / "halves")
    halves = prepared(*parts, tmp_path / "halves")

    assert sum(seen) == halves.cache.count + seen[4]  # the interrupted batch alone was seen twice
    for name in SPLITS:
        torch.testing.assert_close(inputs(halves.sets[name]), inputs(whole.sets[name]), rtol=0, atol=0)
