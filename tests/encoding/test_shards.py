import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from softhash.data.preprocessing import Preprocessing
from softhash.encoding.photos import Photos
from softhash.encoding.shards import fill, merged, shards

SMALL = Preprocessing(resize=20, squash=False, image_size=16)
ABOUT = {"run": "mine", "checkpoint": "abc"}


class Encoder:
    """Two bytes of each image; fails once it has seen some images, like a process that is killed."""

    def __init__(self, until: int = 10**9) -> None:
        self.seen, self.until = 0, until

    def __call__(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        if self.seen > self.until:
            raise KeyboardInterrupt
        return images[:, 0, 3, 4:6].clone()


def encoded(folder: Path, photos: Photos, encoder: Encoder, processes: int = 1, **options: object) -> tuple:
    parts = shards(folder, photos, ABOUT, processes)
    for part in parts:
        common = {"skip": True, "batch_size": 4, "num_workers": 0, "progress": lambda _: None}
        fill(part, photos, encoder, **(common | options))  # type: ignore[arg-type]
    return merged(parts)


def expected(photos: Photos) -> np.ndarray:
    images = [photos[row] for row in range(len(photos))]
    return torch.stack([image[0, 3, 4:6] for image in images if image is not None]).numpy()


@pytest.mark.parametrize("processes", [1, 2, 5, 50])
def test_codes_are_in_the_order_of_the_photos_with_any_number_of_processes(
    processes: int, photos: Path, tmp_path: Path
) -> None:
    all_of_them = Photos(str(photos), SMALL)

    codes, unreadable = encoded(tmp_path / "parts", all_of_them, Encoder(), processes)

    np.testing.assert_array_equal(codes, expected(all_of_them))
    assert not unreadable.any()


def test_what_was_encoded_before_a_kill_is_not_encoded_again(photos: Path, tmp_path: Path) -> None:
    all_of_them = Photos(str(photos), SMALL)
    with pytest.raises(KeyboardInterrupt):
        encoded(tmp_path / "parts", all_of_them, Encoder(until=20))
    rest, told = Encoder(), []

    codes, _ = encoded(tmp_path / "parts", all_of_them, rest, progress=told.append)

    assert rest.seen == 42 - 20
    assert told[0] == 20
    assert told[-1] == 42
    np.testing.assert_array_equal(codes, expected(all_of_them))


@pytest.mark.parametrize("change", ["photo", "encoder"])
def test_codes_of_something_else_are_not_gone_on_with(
    change: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        encoded(tmp_path / "parts", Photos(str(photos), SMALL), Encoder(until=20))
    if change == "photo":
        first, *_, last = sorted(photos.rglob("*.jpg"))
        first.write_bytes(last.read_bytes() + b"\0")
    else:
        monkeypatch.setitem(ABOUT, "checkpoint", "def")
    again, all_of_them = Encoder(), Photos(str(photos), SMALL)

    codes, _ = encoded(tmp_path / "parts", all_of_them, again)

    assert again.seen == 42
    np.testing.assert_array_equal(codes, expected(all_of_them))


def test_unreadable_photos_are_left_out_or_stop_the_encoding(photos: Path, tmp_path: Path) -> None:
    broken = sorted(photos.rglob("*.jpg"))[17]
    broken.write_bytes(b"")
    all_of_them = Photos(str(photos), SMALL)

    with pytest.raises(ValueError, match=f"{broken.name} .*the file is empty\n.*unreadable=skip"):
        encoded(tmp_path / "refused", all_of_them, Encoder(), skip=False)
    codes, unreadable = encoded(tmp_path / "skipped", all_of_them, Encoder())

    assert np.flatnonzero(unreadable).tolist() == [17]
    np.testing.assert_array_equal(codes[~unreadable], expected(all_of_them))


def test_a_full_disk_is_named_and_what_was_encoded_is_kept(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of_them = Photos(str(photos), SMALL)
    real: Callable[..., object] = Path.open

    class Full:
        def __init__(self, file: object) -> None:
            self.file, self.left = file, 20 * 3  # bytes

        def write(self, data: bytes) -> None:
            self.left -= len(data)
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(data)  # type: ignore[attr-defined]

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()  # type: ignore[attr-defined]

    def limited(path: Path, *arguments: object, **options: object) -> object:
        file = real(path, *arguments, **options)
        return Full(file) if path.name == "rows.bin" else file

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", limited)
        with pytest.raises(OSError, match=r"No space left on device.*set out to another disk, and go on"):
            encoded(tmp_path / "parts", all_of_them, Encoder())
    rest = Encoder()
    codes, _ = encoded(tmp_path / "parts", all_of_them, rest)

    assert rest.seen == 42 - 20
    np.testing.assert_array_equal(codes, expected(all_of_them))
