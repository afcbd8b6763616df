"""A folder from somebody else is data: nothing in it runs, and nothing outside it is written."""

import os
import pickle
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from softhash.backbones.timm import TimmBackbone
from softhash.resume import resumed
from softhash.runs.folder import Run
from softhash.storage.arrays import read_npy, read_npz
from softhash.storage.atomic import clear_leftovers


class Evil:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def raw(evil: Evil) -> bytes:
    return pickle.dumps(evil)


def saved(evil: Evil) -> bytes:
    torch.save({"state_dict": evil}, buffer := BytesIO())
    return buffer.getvalue()


def legacy(evil: Evil) -> bytes:
    torch.save({"state_dict": evil}, buffer := BytesIO(), _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def npy(evil: Evil) -> bytes:
    np.save(buffer := BytesIO(), np.array([evil], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def npz(evil: Evil) -> bytes:
    with zipfile.ZipFile(buffer := BytesIO(), "w") as archive:
        for name in ("query", "database", "bits", "relaxed", "query_ids", "query_labels", "class_names"):
            archive.writestr(f"{name}.npy", npy(evil))
    return buffer.getvalue()


def last(run: Run) -> object:
    return run.checkpoint(run.last)


def mistyped(run: Run) -> object:
    (run.folder / ".hydra").mkdir()
    (run.folder / ".hydra" / "overrides.yaml").write_text("[epochs=3]")
    return resumed([f"run={run.folder}", "epochs=1"])


def codes(run: Run) -> object:
    return run.codes("mine")


def similarity(run: Run) -> object:
    return read_npy(run.folder / "codes" / "mine.npz", "data.similarity")


def features(run: Run) -> object:
    return read_npz(run.folder / "codes" / "mine.npz", "data.root")


def timm(run: Run) -> object:
    return TimmBackbone("resnet18", pretrained=False, checkpoint=str(run.last), frozen=False)


CHECKPOINT, CODES, LABELS = "checkpoints/last.ckpt", "codes/mine.npz", "codes/labels.npz"
FILES: list[tuple[str, Callable[[Evil], bytes], Callable[[Run], object]]] = [
    *((CHECKPOINT, write, read) for write in (raw, saved, legacy) for read in (last, mistyped, timm)),
    *((CODES, write, read) for write in (raw, npy, npz) for read in (codes, features, similarity)),
    *((LABELS, write, codes) for write in (raw, npy, npz)),
    *(("per_query.npz", write, Run.per_query) for write in (raw, npy, npz)),
    *(("gallery.npz", write, Run.gallery) for write in (raw, npy, npz)),
    *(("curves.npz", write, Run.curves) for write in (raw, npy, npz)),
]


@pytest.mark.parametrize(("name", "write", "read"), FILES)
def test_a_pickle_in_any_file_is_refused_and_does_not_run(
    name: str, write: Callable[[Evil], bytes], read: Callable[[Run], object], run: Run, tmp_path: Path
) -> None:
    path = run.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(write(Evil(tmp_path / "has run")))

    with pytest.raises((ValueError, pickle.UnpicklingError)):
        read(Run(run.folder))

    assert not (tmp_path / "has run").exists()


def test_a_link_in_the_folder_is_replaced_and_not_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    for name in ("index.html", "config.yaml", ".hydra/overrides.yaml"):
        (run.folder / name).parent.mkdir(exist_ok=True)
        (run.folder / name).unlink(missing_ok=True)
        (run.folder / name).symlink_to(tmp_path / "outside")

    run.write_page("page")
    run.write_config("bits: 8")
    run.write_overrides(["bits=8"])

    assert (tmp_path / "outside").read_text() == "mine"


def test_what_lies_behind_a_link_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "run").mkdir()
    kept = tmp_path / "outside" / ".notes.txt.77.txt"
    kept.touch()
    (tmp_path / "run" / "codes").symlink_to(tmp_path / "outside")

    clear_leftovers(tmp_path / "run")

    assert kept.exists()
