import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from softhash.data.preprocessing import Preprocessing
from softhash.encoding.photos import Photos, stacked

SMALL = Preprocessing(resize=20, squash=False, image_size=16)


def found(images: Path) -> Photos:
    return Photos(str(images), SMALL)


def test_a_folder_an_archive_and_a_list_give_the_same_images(photos: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", photos)
    folder = found(photos)
    (tmp_path / "list.txt").write_text("\n".join(f"photos/{name}" for name in folder.names) + "\n\n")

    sources = [folder, found(Path(archive)), found(tmp_path / "list.txt")]

    assert folder.names == sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    assert sources[1].names == folder.names
    assert sources[2].names == [f"photos/{name}" for name in folder.names]
    for row in (0, 17, 41):
        for source in sources:
            torch.testing.assert_close(source[row], SMALL(photos / folder.names[row])[0], rtol=0, atol=0)


def test_a_list_keeps_its_order_and_takes_absolute_paths(photos: Path, tmp_path: Path) -> None:
    first, second = sorted(photos.rglob("*.jpg"))[:2]
    (tmp_path / "list.txt").write_text(f"{second}\nphotos/{first.relative_to(photos)}\n", encoding="utf-8-sig")

    listed = found(tmp_path / "list.txt")

    assert listed.names == [str(second), f"photos/{first.relative_to(photos)}"]
    torch.testing.assert_close(listed[0], SMALL(second)[0])
    torch.testing.assert_close(listed[1], SMALL(first)[0])


def test_a_photo_that_cannot_be_read_is_none_and_says_why(photos: Path, tmp_path: Path) -> None:
    (photos / "aa.jpg").write_bytes(b"")
    (tmp_path / "list.txt").write_text("photos/aa.jpg\nphotos/gone.jpg\nphotos\n")

    assert found(photos)[0] is None
    assert "aa.jpg" in found(photos).problem(0)
    listed = found(tmp_path / "list.txt")
    assert [listed[row] for row in range(3)] == [None] * 3
    assert [word in listed.problem(row) for row, word in enumerate(("empty", "gone.jpg", "no file"))] == [True] * 3


def test_a_batch_has_black_images_in_place_of_unreadable_ones() -> None:
    grey = torch.full((3, 16, 16), 7, dtype=torch.uint8)

    images, unreadable = stacked([grey, None], SMALL)

    assert images.flatten(1).amax(1).tolist() == [7, 0]
    assert unreadable.tolist() == [False, True]


def test_the_fingerprint_changes_with_a_photo(photos: Path) -> None:
    before = found(photos).fingerprint()

    assert found(photos).fingerprint() == before
    next(photos.rglob("*.jpg")).write_bytes(b"other")
    assert found(photos).fingerprint() != before


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.mkdir(), "has no photos"),
        (lambda _: None, "does not exist"),
        (lambda path: path.write_bytes(b"no archive"), "not a complete zip archive"),
    ],
)
def test_images_that_are_none_are_refused(write: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    write(tmp_path / "images")

    with pytest.raises((ValueError, FileNotFoundError), match=message):
        found(tmp_path / "images")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no photos"),
        (b"a.jpg\nb.jpg\na.jpg\n", "more than once: a.jpg"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
    ],
)
def test_a_list_that_is_none_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(content)

    with pytest.raises((ValueError, FileNotFoundError), match=message):
        found(tmp_path / "list.txt")


def test_a_sample_is_of_evenly_spaced_photos_that_can_be_read(photos: Path) -> None:
    (photos / "aa.jpg").write_bytes(b"")
    all_of_them = found(photos)

    sample = all_of_them.sample(3)

    wanted = torch.stack([all_of_them[21], all_of_them[42]])  # type: ignore[list-item] # of rows 0, 21 and 42
    torch.testing.assert_close(sample, wanted, rtol=0, atol=0)
    with pytest.raises(ValueError, match="none of 1 photos can be read"):
        all_of_them.sample(1)
