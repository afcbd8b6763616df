import csv
import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from softhash.config import root
from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.tasks import encode

Make = Callable[..., Run]


def encoded(run: Run, images: Path, out: Path, *overrides: str) -> Collection:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        given = {"run": run.folder, "images": images, "out": out}
        config = compose("encode", [f"{key}='{value}'" for key, value in given.items()] + list(overrides))
    encode.run(config)
    return Collection.read(out)


@pytest.mark.parametrize(
    "method", [["method=idhn"], ["method=dqn", "bits=16"], ["method=drsch"], ["method=itq"], ["method=pq", "bits=8"]]
)
def test_codes_are_those_of_the_data_set_bit_for_bit(
    method: list[str], untrained: Make, photos: Path, tmp_path: Path
) -> None:
    run = untrained(*method)
    data = instantiate(run.config()["data"] | {"root": str(photos), "num_validation": 4})
    data.setup()

    collection = encoded(run, photos, tmp_path / "codes")

    encoder: Any = run.encoder()
    database = data.sets["database"]
    wanted = encoder(database.__getitems__(range(len(database))).inputs).database
    rows = [collection.names.index(name) for name in database.ids.tolist()]
    np.testing.assert_array_equal(collection.codes[rows], wanted.numpy())
    assert len(np.unique(wanted.numpy(), axis=0)) > 1
    assert collection.bits == encoder.bits


def test_codes_say_which_photos_and_which_checkpoint_they_are_of(untrained: Make, photos: Path, tmp_path: Path) -> None:
    run = untrained()

    collection = encoded(run, photos, tmp_path / "codes.npz", "batch_size=5", "num_workers=1")

    assert list(collection.names) == sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    assert collection.encoder == {
        "run": str(run.folder),
        "method": "mine",
        "checkpoint": hashlib.sha256(run.best.read_bytes()).hexdigest(),
        "runtime": "torch",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes.npz", "photos", "untrained"]


def test_unreadable_photos_are_left_out_and_reported_or_refused(untrained: Make, photos: Path, tmp_path: Path) -> None:
    run = untrained()
    (photos / "aa.jpg").write_text("<html>gone</html>")

    with pytest.raises(ValueError, match=r"cannot decode aa.jpg"):
        encoded(run, photos, tmp_path / "refused", "unreadable=refuse")
    collection = encoded(run, photos, tmp_path / "codes")

    assert len(collection) == 42
    with (tmp_path / "codes.unreadable.csv").open(newline="") as lines:
        (line,) = csv.DictReader(lines)
    assert line["path"] == "aa.jpg"
    assert "web page" in line["reason"]
    assert not (tmp_path / "refused").exists()


def test_photos_of_which_none_can_be_read_are_refused(untrained: Make, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
        archive.writestr("b.jpg", b"<html>")

    with pytest.raises(ValueError, match=r"none of the 2 photos can be read; the first: .*the file is empty"):
        encoded(untrained(), tmp_path / "photos.zip", tmp_path / "codes")

    assert not (tmp_path / "codes").exists()


@pytest.mark.parametrize("out", ["codes", "codes.npz"])
def test_what_is_there_already_stays(out: str, untrained: Make, photos: Path, tmp_path: Path) -> None:
    (tmp_path / out).write_text("mine")

    with pytest.raises(ValueError, match=rf"out=.*{out} is there already; delete it"):
        encoded(untrained(), photos, tmp_path / out)

    assert (tmp_path / out).read_text() == "mine"


def no_checkpoint(run: Run) -> None:
    run.best.unlink()


def other_version(run: Run) -> None:
    path = run.folder / "run.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))


def features(run: Run) -> None:
    config = OmegaConf.create(run.config_text())
    config.encoder.backbone = {"_target_": "softhash.backbones.features.Features", "out_features": 8}
    run.write_config(OmegaConf.to_yaml(config))


def odd_size(run: Run) -> None:
    run.write_config(run.config_text().replace("image_size: 16", "image_size: 99"))


def damaged(run: Run) -> None:
    run.best.write_bytes(run.best.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_checkpoint, "has no best.ckpt: it has not reached the end of its first epoch; softhash train run="),
        (other_version, "has the format 1; this version of softhash reads 2"),
        (features, "was trained on features and not on images"),
        (odd_size, "config.yaml is damaged: image_size must be"),
        (damaged, "best.ckpt is damaged"),
    ],
)
def test_a_run_that_cannot_encode_says_why_and_nothing_is_written(
    spoil: Callable[[Run], None], message: str, untrained: Make, photos: Path, tmp_path: Path
) -> None:
    run = untrained()
    spoil(run)

    with pytest.raises((ValueError, FileNotFoundError), match=message):
        encoded(run, photos, tmp_path / "codes")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "untrained"]


def test_a_runtime_that_nothing_was_exported_for_says_what_to_do(untrained: Make, photos: Path, tmp_path: Path) -> None:
    run = untrained()

    with pytest.raises(FileNotFoundError, match=r"encoder.pt2; softhash export run=... format=pt2 makes it"):
        encoded(run, photos, tmp_path / "codes", "runtime=pt2")
    with pytest.raises(ValueError, match=r"no format 'tensorflow'"):
        encoded(run, photos, tmp_path / "codes", "runtime=tensorflow")


def test_three_lines_of_python_give_the_same_codes(untrained: Make, photos: Path, tmp_path: Path) -> None:
    run = untrained()
    collection = encoded(run, photos, tmp_path / "codes")

    encoder, prepare = run.encoder(), run.preprocessing()
    codes = encoder(prepare(*(photos / name for name in collection.names))).database

    assert torch.equal(codes, torch.from_numpy(np.array(collection.codes)))
