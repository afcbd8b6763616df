"""Whatever bytes a file has lost or changed: it is read, or refused by its name; no traceback of a library."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from softhash.data.decode import decode
from softhash.resume import resumed
from softhash.runs.folder import Run
from softhash.storage.arrays import read_npy, read_npz

Read = Callable[[Path], object]


def damaged(content: bytes, count: int = 40) -> Iterator[bytes]:
    """Cut off, overwritten with zeros, and with changed bytes, at random places."""
    rng = np.random.default_rng(0)
    yield b""
    for _ in range(count):
        place, length = int(rng.integers(len(content))), int(rng.integers(1, 64))
        yield content[:place]
        yield content[:place] + bytes(length) + content[place + length :]
        yield content[:place] + rng.bytes(length) + content[place + length :]


def checkpoint(path: Path) -> object:
    return Run(path.parent).checkpoint(path)


def overrides(path: Path) -> object:
    return resumed([f"run={path.parent.parent}"])


READERS: dict[str, Read] = {
    "run.json": lambda path: Run(path.parent).record(),
    "metrics.json": lambda path: Run(path.parent).result(),
    "config.yaml": lambda path: Run(path.parent).config(),
    "per_query.npz": lambda path: Run(path.parent).per_query(),
    "codes/labels.npz": lambda path: Run(path.parent.parent).codes("mine"),
    "codes/mine.npz": lambda path: Run(path.parent.parent).codes("mine"),
    "last.ckpt": checkpoint,
    ".hydra/overrides.yaml": overrides,
    "metrics/version_0/metrics.csv": lambda path: Run(path.parents[2]).log(),
    "similarity.npy": lambda path: read_npy(path, f"data.similarity={path}"),
    "features.npz": lambda path: read_npz(path, f"data.root={path}"),
}


@pytest.fixture
def complete(logged: Run) -> Run:
    """A run with every file of the table."""
    folder = logged.folder
    torch.save({"epoch": 2, "state_dict": {"weight": torch.ones(20)}}, folder / "last.ckpt")
    logged.write_overrides(["method=dhn", "bits=16", "epochs=3", r"experiment_name='it\'s'"])
    logged.write_config(yaml.safe_dump({"bits": 8, "encoder": {"head": [1, 2.5, None]}}))
    np.save(folder / "similarity.npy", np.eye(30))
    np.savez_compressed(folder / "features.npz", features=np.eye(30), ids=np.arange(30))
    return logged


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_by_name(name: str, complete: Run) -> None:
    path = complete.folder / name
    whole = path.read_bytes()
    READERS[name](path)

    wrong = []
    for content in damaged(whole):
        path.write_bytes(content)
        try:
            READERS[name](path)
        except (ValueError, OSError) as error:
            named = path.name in str(error) or "no such option" in str(error)  # an override that became another
            wrong += [] if named else [repr(error)]
        except Exception as error:
            wrong.append(repr(error))

    assert wrong == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_damaged_photo_is_decoded_or_refused(kind: str) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer := BytesIO(), kind)

    for content in damaged(buffer.getvalue()):
        try:
            photo = decode(content)
        except ValueError:
            continue
        assert photo.dtype == torch.uint8
        assert photo.shape[0] == 3
