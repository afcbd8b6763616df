import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = ["backbone=small_cnn", "image_size=32", "num_workers=0", "data.num_classes=3"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A table of 40 photos with three labels, two of which are dealt in turn."""
    folder, rng = tmp_path / "photos", np.random.default_rng(0)
    folder.mkdir()
    lines = ["path,split,labels"]
    for row in range(40):
        pixels = rng.integers(256, size=(40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{row:02d}.jpg")
        split = "query" if row % 4 == 0 else "train database"
        lines.append(f"{row:02d}.jpg,{split},{'cat;dog' if row % 2 else 'bird'}")
    (folder / "photos.csv").write_text("\n".join(lines) + "\n")
    return folder


def options(photos: Path, *more: str) -> list[str]:
    cache = photos.parent / "cache"
    return ["data=table", f"data.root={photos}", "data.num_validation=10", f"cache_dir={cache}", *SMALL, *more]


def test_verify_reports_what_a_data_set_holds(photos: Path, tmp_path: Path, softhash: Softhash) -> None:
    result = softhash(tmp_path, "data", "verify", *options(photos))

    assert result.stdout.strip().startswith("# table\n")
    assert "- query: 10\n- database: 30\n" in result.stdout
    assert "bird 20, cat 20, dog 20" in result.stdout
    assert "Fit for training." in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_verify_ends_with_1_and_lists_what_to_exclude(photos: Path, tmp_path: Path, softhash: Softhash) -> None:
    (photos / "06.jpg").write_bytes((photos / "06.jpg").read_bytes()[:300])
    (photos / "11.jpg").write_text("<html>gone</html>")
    listed = tmp_path / "broken.txt"

    result = softhash(tmp_path, "data", "verify", *options(photos, f"write_exclude={listed}"), code=1)

    assert "Not fit for training." in result.stdout
    assert "11.jpg (it is a web page, not a picture" in result.stdout
    assert listed.read_text() == "06.jpg\n11.jpg\n"
    softhash(tmp_path, "data", "verify", *options(photos, f"data.exclude={listed}"))


def test_a_training_reads_what_prepare_has_decoded(photos: Path, tmp_path: Path, softhash: Softhash) -> None:
    overrides = options(photos, "backbone.frozen=true")

    result = softhash(tmp_path, "data", "prepare", *overrides)

    assert "Image cache: " in result.stdout
    assert "Features: " in result.stdout
    (images,) = (tmp_path / "cache" / "images").iterdir()
    assert (images / "complete.json").is_file()
    for photo in photos.glob("*.jpg"):  # of the same size and time, so that the cache does not know
        before = photo.stat()
        photo.write_bytes(b"\0" * before.st_size)
        os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    quick = ["bits=8", "epochs=1", "batch_size=8", "top_k=8", "metric=[map,map_all]", "logger=csv"]
    softhash(tmp_path, "train", *options(photos), *quick)
    assert list(tmp_path.glob("runs/**/metrics.json"))


def test_prepare_of_what_is_in_memory_has_nothing_to_do(tmp_path: Path, softhash: Softhash) -> None:
    assert "nothing to prepare" in softhash(tmp_path, "data", "prepare").stdout


def test_show_draws_a_sheet(photos: Path, tmp_path: Path, softhash: Softhash) -> None:
    result = softhash(tmp_path, "data", "show", *options(photos, "set=database", "count=7"))

    assert "7 of 30 images: table_database.png" in result.stdout
    with Image.open(tmp_path / "table_database.png") as sheet:
        assert sheet.width > sheet.height  # six beside each other, one below


@pytest.mark.parametrize(
    ("override", "message"), [("set=quary", "set must be train, validation, query or database"), ("count=0", "count")]
)
def test_show_refuses_what_it_cannot_draw(override: str, message: str, tmp_path: Path, softhash: Softhash) -> None:
    result = softhash(tmp_path, "data", "show", override, code=1)

    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_similarities_in_place_of_labels_are_verified_learnt_and_evaluated(
    photos: Path, tmp_path: Path, softhash: Softhash
) -> None:
    turns = np.arange(40) % 2
    values = np.where(turns[:, None] == turns, 0.75, 0).astype(np.float32)
    np.save(tmp_path / "similar.npy", values)
    given = options(photos, f"data.similarity={tmp_path / 'similar.npy'}", "data.num_classes=0")
    quick = ["bits=8", "epochs=1", "batch_size=8", "top_k=8", "metric=[map,map_all,ndcg]", "logger=csv"]

    report = softhash(tmp_path, "data", "verify", *given)
    softhash(tmp_path, "train", *given, *quick, "metric.ndcg.top_k=8")
    (metrics,) = tmp_path.glob("runs/**/metrics.json")
    before = metrics.read_bytes()
    softhash(tmp_path, "evaluate", f"run={metrics.parent}", "metric=[map,map_all,ndcg]", "metric.ndcg.top_k=8")

    assert "33.33% similar; similarity 0.250 on average" in report.stdout
    assert metrics.read_bytes() == before
    assert 0.25 < json.loads(before)["methods"]["random"]["mAP"]["expected"] < 0.55
