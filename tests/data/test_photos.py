import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from softhash.data.custom import FoldersDataModule
from softhash.data.photos import CachedPhotos
from softhash.data.protocols import SplitFile

Make = Callable[..., Any]


def test_every_image_is_in_one_set_and_unlabelled_ones_are_not_trained_on(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)

    for seed in range(5):
        data = mirflickr25k(tmp_path, seed=seed)
        data.setup()
        ids = np.concatenate([split.ids for split in data.sets.values()])
        learnt_from = {"train", "validation"}
        unlabelled = {name for name, split in data.sets.items() if (split.labels.sum(1) == 0).any()}
        assert len(ids) == len(set(ids)) >= 39
        assert not unlabelled & learnt_from


def test_an_archive_gives_what_the_folder_gives(tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make) -> None:
    write_mirflickr25k(tmp_path / "folder")
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "folder")

    folder, zipped = mirflickr25k(tmp_path / "folder"), mirflickr25k(archive, num_workers=1)
    folder.setup()
    zipped.setup()

    assert folder.checksum() == zipped.checksum()
    for first, second in zip(folder.val_dataloader(), zipped.val_dataloader(), strict=True):
        torch.testing.assert_close(first.inputs, second.inputs)


def test_the_order_of_files_on_disk_does_not_matter(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mirflickr25k(tmp_path)
    first = mirflickr25k(tmp_path)
    first.setup()
    listed = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: reversed(list(listed(folder))))
    second = mirflickr25k(tmp_path)
    second.setup()

    assert first.checksum() == second.checksum()


def test_a_split_file_decides(tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make) -> None:
    write_mirflickr25k(tmp_path)
    split = np.arange(40) % 3
    np.savez(tmp_path / "split.npz", split=split)
    protocol = SplitFile(str(tmp_path / "split.npz"), train_in_database=False, unlabelled="evaluate")

    data = mirflickr25k(tmp_path, protocol=protocol)
    data.setup()

    assert data.sets["query"].ids.tolist() == [f"mirflickr/im{n + 1}.jpg" for n in range(40) if split[n] == 2]
    assert data.sets["database"].ids.tolist() == [f"mirflickr/im{n + 1}.jpg" for n in range(40) if split[n] == 0]


def test_photos_are_resized_by_their_short_side_and_cut_to_the_centre(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)
    data = mirflickr25k(tmp_path)
    data.setup()
    database = data.sets["database"]
    with Image.open(tmp_path / str(database.ids[0])) as image:
        scale = 36 / min(image.size)
        size = (max(36, round(image.width * scale)), max(36, round(image.height * scale)))
        resized = np.array(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))
    top, left = round((size[1] - 32) / 2), round((size[0] - 32) / 2)

    picture = database[0].inputs

    # Pillow rounds the weights of its bilinear filter otherwise: two grey levels at most.
    expected = resized[top : top + 32, left : left + 32].astype(int)
    np.testing.assert_allclose(picture.permute(1, 2, 0).int(), expected, rtol=0, atol=2)


def break_root(root: Path) -> None:
    shutil.rmtree(root)


def break_photos(root: Path) -> None:
    for number in (3, 7, 11, 12, 13, 14, 15):
        (root / "mirflickr" / f"im{number}.jpg").unlink()
    for path in (root / "mirflickr25k_annotations_v080").glob("*.txt"):
        path.write_text("3\n7\n11\n12\n13\n14\n15\n")


def break_annotations(root: Path) -> None:
    shutil.rmtree(root / "mirflickr25k_annotations_v080")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_root, r"data\.root='.*' does not exist\.\n  Unpack mirflickr25k\.zip"),
        (break_photos, r"lacks 7 of 40 files: mirflickr/im3\.jpg, mirflickr/im7\.jpg, .*, \.\.\."),
        (break_annotations, r"lacks 1 of 1 files: mirflickr25k_annotations_v080/sky\.txt"),
    ],
)
def test_what_is_missing_is_named(
    damage: Callable[[Path], None],
    message: str,
    tmp_path: Path,
    write_mirflickr25k: Make,
    mirflickr25k: Make,
) -> None:
    write_mirflickr25k(tmp_path / "data")
    damage(tmp_path / "data")

    with pytest.raises(FileNotFoundError, match=message):
        mirflickr25k(tmp_path / "data").setup()


@pytest.mark.parametrize("content", [b"", b"<html>gone</html>", "half"])
def test_a_broken_photo_is_named(
    content: bytes | str, tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)
    data = mirflickr25k(tmp_path)
    data.setup()
    path = tmp_path / str(data.sets["database"].ids[0])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)

    with pytest.raises(ValueError, match=rf"cannot decode mirflickr/{path.name} in .* bytes\)"):
        _ = data.sets["database"][0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 38}, "has 5 classes and 5 class names, data.num_classes is 38"),
        (
            {"split": {"num_train": 35}},
            "35 training images and 5 queries leave no database: there are 40 images",
        ),
        ({"num_validation": 20}, "num_validation must be between 1 and"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"resize": 16}, "data.resize=16 is smaller than image_size=32"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)

    with pytest.raises(ValueError, match=message):
        mirflickr25k(tmp_path, **changes).setup()


def test_half_an_archive_is_refused(tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make) -> None:
    write_mirflickr25k(tmp_path / "folder")
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "folder"))
    archive.write_bytes(archive.read_bytes()[:5000])

    with pytest.raises(ValueError, match="is not a complete zip archive"):
        mirflickr25k(archive).setup()


def test_all_broken_photos_are_named_before_training(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)
    photos = sorted((tmp_path / "mirflickr").iterdir())[1:4]
    for path, content in zip(photos, (b"", b"<html>gone</html>", photos[2].read_bytes()[:300]), strict=True):
        path.write_bytes(content)
    data = mirflickr25k(tmp_path)

    with pytest.raises(ValueError, match=r"3 of \d+ photos in data\.root=.* cannot be decoded") as raised:
        data.prepare_data()

    assert all(f"mirflickr/{path.name} (" in str(raised.value) for path in photos)


def test_photos_in_a_file_are_left_out(tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make) -> None:
    write_mirflickr25k(tmp_path)
    (tmp_path / "mirflickr" / "im3.jpg").write_bytes(b"")
    (tmp_path / "exclude.txt").write_text("mirflickr/im3.jpg\r\n")

    data = mirflickr25k(tmp_path, exclude=str(tmp_path / "exclude.txt"))
    data.prepare_data()

    assert data.skipped == {"mirflickr/im3.jpg": "excluded"}
    assert all("mirflickr/im3.jpg" not in split.ids for split in data.sets.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"data\.exclude='.*exclude\.txt' does not exist"),
        ("im9.jpg\n", r"names 1 photos that the data set does not have: im9\.jpg"),
    ],
)
def test_a_file_of_other_photos_to_leave_out_is_refused(
    content: str | None,
    message: str,
    tmp_path: Path,
    write_mirflickr25k: Make,
    mirflickr25k: Make,
) -> None:
    write_mirflickr25k(tmp_path)
    if content:
        (tmp_path / "exclude.txt").write_text(content)

    with pytest.raises((FileNotFoundError, ValueError), match=message):
        mirflickr25k(tmp_path, exclude=str(tmp_path / "exclude.txt")).setup()


@pytest.fixture
def photos(tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make) -> Make:
    """A data module over the same photos and caches each time."""
    write_mirflickr25k(tmp_path / "data")
    return lambda **changes: mirflickr25k(tmp_path / "data", cache_dir=str(tmp_path / "cache"), **changes)


def test_the_image_cache_holds_the_pixels_of_decoding(photos: Make) -> None:
    plain = photos()
    plain.setup()
    plain.build_cache()

    cached = photos(num_workers=1)
    cached.prepare_data()

    assert isinstance(cached.sets["train"].read, CachedPhotos)
    assert cached.checksum() == plain.checksum()
    for first, second in zip(plain.test_dataloader(), cached.test_dataloader(), strict=True):
        for one, other in zip(first, second, strict=True):
            torch.testing.assert_close(one.inputs, other.inputs, rtol=0, atol=0)


def test_augmentation_draws_the_same_with_and_without_the_cache(photos: Make) -> None:
    from torchvision.transforms.v2 import RandomCrop

    batches = []
    for _ in range(2):
        data = photos(augment=RandomCrop(32))
        data.setup()
        torch.manual_seed(0)
        batches.append([batch.inputs for batch in data.train_dataloader()])
        data.build_cache()

    for one, other in zip(*batches, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_photos_that_changed_are_decoded_again(photos: Make, tmp_path: Path) -> None:
    photos().build_cache()
    Image.new("RGB", (50, 50), (1, 2, 3)).save(tmp_path / "data" / "mirflickr" / "im2.jpg")

    data = photos()
    with pytest.warns(UserWarning, match="photos have changed since"):
        data.setup()

    assert not isinstance(data.sets["train"].read, CachedPhotos)
    data.build_cache()
    renewed = photos()
    renewed.setup()
    assert isinstance(renewed.sets["train"].read, CachedPhotos)


def test_other_sizes_have_caches_of_their_own(photos: Make) -> None:
    folders = {photos().build_cache(), photos(resize=40).build_cache(), photos(squash=True).build_cache()}

    assert len(folders) == 3


def test_a_broken_photo_stops_the_cache_and_is_named(photos: Make, tmp_path: Path) -> None:
    data = photos()
    data.setup()
    name = str(data.sets["query"].ids[0])
    (tmp_path / "data" / name).write_bytes(b"")

    with pytest.raises(ValueError, match=rf"cannot decode {name} .*the file is empty"):
        data.build_cache()


def test_a_cache_of_other_photos_is_not_taken(photos: Make, tmp_path: Path) -> None:
    photos().build_cache()
    (tmp_path / "exclude.txt").write_text("mirflickr/im2.jpg\n")

    data = photos(exclude=str(tmp_path / "exclude.txt"))
    data.setup()

    assert not isinstance(data.sets["train"].read, CachedPhotos)
    assert "mirflickr/im2.jpg" not in np.concatenate([split.ids for split in data.sets.values()])


def test_the_cache_goes_where_it_is_told(photos: Make, tmp_path: Path) -> None:
    folder = photos().build_cache()

    assert folder.is_relative_to(tmp_path / "cache" / "images")
    shutil.rmtree(folder)
    photos().build_cache()
    assert folder.is_dir()


def test_a_list_to_leave_out_that_is_not_text_is_named(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)
    (tmp_path / "exclude.txt").write_bytes(b"Gr\xf6\xdfe.jpg\n")

    with pytest.raises(ValueError, match=r"data\.exclude='.*exclude\.txt' is not text in UTF-8"):
        mirflickr25k(tmp_path, exclude=str(tmp_path / "exclude.txt")).setup()


def test_photos_whose_names_are_no_text_are_named(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("custom").write_folders(tmp_path, divided=False)
    (tmp_path / "cat" / "1.jpg").rename(os.fsdecode(os.fsencode(tmp_path) + b"/cat/caf\xe9.jpg"))

    with pytest.raises(
        ValueError, match=r"1 photos in data\.root=.* are not text in UTF-8: cat/caf\\udce9\.jpg; rename"
    ):
        FoldersDataModule(**arguments(root=str(tmp_path), num_classes=3)).setup()


def test_the_files_are_opened_once(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mirflickr25k(tmp_path / "folder")
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "folder")
    opened, make = [], zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda path: opened.append(path) or make(path))

    data = mirflickr25k(archive, cache_dir=str(tmp_path / "cache"))
    data.prepare_data()
    data.build_cache()
    data.fingerprint()

    assert len(opened) == 1


def test_a_damaged_image_cache_is_made_again(photos: Make) -> None:
    folder = photos().build_cache()
    expected = (folder / "rows.bin").read_bytes()
    os.truncate(folder / "rows.bin", len(expected) // 2)
    data = photos()
    data.setup()
    assert not isinstance(data.sets["train"].read, CachedPhotos)

    data.build_cache()

    assert (folder / "rows.bin").read_bytes() == expected


def test_tags_go_with_their_photos_when_others_are_left_out(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)
    (tmp_path / "exclude.txt").write_text("mirflickr/im3.jpg\nmirflickr/im8.jpg\n")
    np.save(tmp_path / "tags.npy", np.arange(40)[:, None] + [1, 100])

    data = mirflickr25k(tmp_path, tags=str(tmp_path / "tags.npy"), exclude=str(tmp_path / "exclude.txt"))
    data.setup()

    for split in data.sets.values():
        numbers = [int(name.removeprefix("mirflickr/im").removesuffix(".jpg")) for name in split.ids]
        tags = split.__getitems__(range(len(split))).tags
        assert tags.dtype == torch.float32
        assert tags.tolist() == [[number, number + 99] for number in numbers]


def test_tags_of_another_number_of_photos_are_refused(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)
    np.save(tmp_path / "tags.npy", np.zeros((39, 2)))

    with pytest.raises(ValueError, match=r"data\.tags='.*tags\.npy' is of 39 images, the data set has 40"):
        mirflickr25k(tmp_path, tags=str(tmp_path / "tags.npy")).setup()
    with pytest.raises(FileNotFoundError, match=r"data\.tags='.*absent\.npy' does not exist"):
        mirflickr25k(tmp_path, tags=str(tmp_path / "absent.npy")).setup()
