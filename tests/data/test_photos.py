import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from softhash.data.protocols import SplitFile

SHARED = Path(__file__).parents[3] / "shared" / "data"
Writer = Callable[..., np.ndarray]
Maker = Callable[..., Any]


def test_mirflickr_is_read_from_its_official_layout(
    tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker
) -> None:
    labels = write_mirflickr25k(tmp_path)

    data = mirflickr25k(tmp_path)
    data.setup()

    assert data.class_names == ["animals", "baby", "baby_r1", "sky", "sky_r1"]
    for split in data.sets.values():
        numbers = [int(name.removeprefix("mirflickr/im").removesuffix(".jpg")) for name in split.ids]
        np.testing.assert_array_equal(split.labels, labels[np.array(numbers) - 1])


def test_the_stricter_lists_can_be_left_out(tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker) -> None:
    write_mirflickr25k(tmp_path)

    data = mirflickr25k(tmp_path, relevant_labels=False, num_classes=3)
    data.setup()

    assert data.class_names == ["animals", "baby", "sky"]


def test_every_image_is_in_one_set_and_unlabelled_ones_are_not_trained_on(
    tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker
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


def test_an_archive_gives_what_the_folder_gives(
    tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker
) -> None:
    write_mirflickr25k(tmp_path / "folder")
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "folder")

    folder, zipped = mirflickr25k(tmp_path / "folder"), mirflickr25k(archive, num_workers=1)
    folder.setup()
    zipped.setup()

    assert folder.checksum() == zipped.checksum()
    for first, second in zip(folder.val_dataloader(), zipped.val_dataloader(), strict=True):
        torch.testing.assert_close(first.inputs, second.inputs)


def test_the_order_of_files_on_disk_does_not_matter(
    tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mirflickr25k(tmp_path)
    first = mirflickr25k(tmp_path)
    first.setup()
    import os

    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top: [(a, b, c[::-1]) for a, b, c in reversed(list(walk(top)))])
    second = mirflickr25k(tmp_path)
    second.setup()

    assert first.checksum() == second.checksum()


def test_a_split_file_decides(tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker) -> None:
    write_mirflickr25k(tmp_path)
    split = np.arange(40) % 3
    np.savez(tmp_path / "split.npz", split=split)
    protocol = SplitFile(str(tmp_path / "split.npz"), train_in_database=False, unlabelled="evaluate")

    data = mirflickr25k(tmp_path, protocol=protocol)
    data.setup()

    assert data.sets["query"].ids.tolist() == [f"mirflickr/im{n + 1}.jpg" for n in range(40) if split[n] == 2]
    assert data.sets["database"].ids.tolist() == [f"mirflickr/im{n + 1}.jpg" for n in range(40) if split[n] == 0]


def test_voc_counts_a_class_of_difficult_objects_as_absent(tmp_path: Path, write_voc: Writer, voc: Maker) -> None:
    states = write_voc(tmp_path)

    data = voc(tmp_path)
    data.setup()

    assert data.class_names == ["aeroplane", "cat", "diningtable"]
    for split in data.sets.values():
        rows = [(int(name[-10:-4]) - 1) // 2 for name in split.ids]
        np.testing.assert_array_equal(split.labels, (states[rows] == 1).astype(np.uint8))


def test_photos_are_resized_by_their_short_side_and_cut_to_the_centre(
    tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker
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
    write_mirflickr25k: Writer,
    mirflickr25k: Maker,
) -> None:
    write_mirflickr25k(tmp_path / "data")
    damage(tmp_path / "data")

    with pytest.raises(FileNotFoundError, match=message):
        mirflickr25k(tmp_path / "data").setup()


def test_a_missing_photo_of_voc_is_named(tmp_path: Path, write_voc: Writer, voc: Maker) -> None:
    write_voc(tmp_path)
    (tmp_path / "VOCdevkit" / "VOC2007" / "JPEGImages" / "000007.jpg").unlink()

    with pytest.raises(FileNotFoundError, match=r"lacks 1 of 40 files: VOCdevkit/VOC2007/JPEGImages/000007\.jpg"):
        voc(tmp_path).setup()


def test_a_list_with_an_image_of_another_part_is_refused(tmp_path: Path, write_voc: Writer, voc: Maker) -> None:
    write_voc(tmp_path)
    with (tmp_path / "VOCdevkit" / "VOC2007" / "ImageSets" / "Main" / "cat_test.txt").open("a") as lines:
        lines.write("009999  1\n")

    with pytest.raises(ValueError, match=r"cat_test\.txt lists 009999, which is not in test\.txt"):
        voc(tmp_path).setup()


@pytest.mark.parametrize("content", [b"", b"<html>gone</html>", "half"])
def test_a_broken_photo_is_named(
    content: bytes | str, tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker
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
    changes: dict[str, Any], message: str, tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker
) -> None:
    write_mirflickr25k(tmp_path)

    with pytest.raises(ValueError, match=message):
        mirflickr25k(tmp_path, **changes).setup()


def test_half_an_archive_is_refused(tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker) -> None:
    write_mirflickr25k(tmp_path / "folder")
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "folder"))
    archive.write_bytes(archive.read_bytes()[:5000])

    with pytest.raises(ValueError, match="is not a complete zip archive"):
        mirflickr25k(archive).setup()


def test_the_real_mirflickr_has_its_published_labels_and_counts(mirflickr25k: Maker) -> None:
    archive, lists = (
        SHARED / "mirflickr25k" / "mirflickr25k_128px.zip",
        SHARED / "labels" / "mirflickr25k.npz",
    )
    if not archive.is_file():
        pytest.skip("needs the photos of MIRFLICKR-25K")
    protocol = SplitFile(str(lists), train_in_database=False, unlabelled="evaluate")
    data = mirflickr25k(archive, protocol=protocol, num_classes=38, num_validation=500, resize=128, image_size=128)

    data.setup()

    with np.load(lists) as stored:
        labels, split = stored["labels"], stored["split"]
        assert data.class_names == stored["class_names"].tolist()
    assert len(data.sets["query"]) == 1000
    assert len(data.sets["database"]) == 20000
    assert len(data.sets["train"]) + len(data.sets["validation"]) == int((labels[split == 1].sum(1) > 0).sum())
    np.testing.assert_array_equal(data.sets["query"].labels, labels[split == 2])
    np.testing.assert_array_equal(data.sets["database"].labels, labels[split == 0])


def test_the_real_voc2007_test_has_its_published_labels(voc: Maker) -> None:
    archive, lists = SHARED / "voc2007" / "voc2007_test_256px.zip", SHARED / "labels" / "voc2007_test.npz"
    if not archive.is_file():
        pytest.skip("needs the photos of VOC2007")
    data = voc(archive, num_classes=20, split={"num_train": 2000, "num_query": 500}, num_validation=400)

    data.setup()

    with np.load(lists) as stored:
        expected = dict(zip([name.decode() for name in stored["names"]], stored["labels"], strict=True))
    found = {
        name[-10:-4]: row for split in data.sets.values() for name, row in zip(split.ids, split.labels, strict=True)
    }
    assert len(found) == 4952
    assert all((found[key].numpy() == expected[key]).all() for key in expected)


def test_all_broken_photos_are_named_before_training(
    tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker
) -> None:
    write_mirflickr25k(tmp_path)
    photos = sorted((tmp_path / "mirflickr").iterdir())[1:4]
    for path, content in zip(photos, (b"", b"<html>gone</html>", photos[2].read_bytes()[:300]), strict=True):
        path.write_bytes(content)
    data = mirflickr25k(tmp_path)

    with pytest.raises(ValueError, match=r"3 of \d+ photos in data\.root=.* cannot be decoded") as raised:
        data.prepare_data()

    assert all(f"mirflickr/{path.name} (" in str(raised.value) for path in photos)


def test_photos_in_a_file_are_left_out(tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker) -> None:
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
    write_mirflickr25k: Writer,
    mirflickr25k: Maker,
) -> None:
    write_mirflickr25k(tmp_path)
    if content:
        (tmp_path / "exclude.txt").write_text(content)

    with pytest.raises((FileNotFoundError, ValueError), match=message):
        mirflickr25k(tmp_path, exclude=str(tmp_path / "exclude.txt")).setup()


def test_a_list_with_something_else_than_numbers_is_shown(
    tmp_path: Path, write_mirflickr25k: Writer, mirflickr25k: Maker
) -> None:
    write_mirflickr25k(tmp_path)
    (tmp_path / "mirflickr25k_annotations_v080" / "sky.txt").write_text("12\nim13.jpg\n")

    with pytest.raises(ValueError, match=r"sky\.txt should have one number of a photo a line, found 'im13\.jpg'"):
        mirflickr25k(tmp_path).setup()
