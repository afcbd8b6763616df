import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from softhash.data.custom import TableDataModule
from softhash.data.digits import DigitsDataModule
from softhash.data.protocols import OfficialSplits, SplitFile
from softhash.report.data_set import Verification, pair_shares, verify

SHARED = Path(__file__).parents[3] / "shared" / "data"
Make = Callable[..., Any]


def findings(report: Verification) -> dict[str, list[str]]:
    return {finding.what: finding.names for finding in report.findings}


@pytest.fixture
def tiny(mirflickr25k: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A MIRFLICKR-25K of which forty photos were published."""

    def make(root: Path, **changes: Any) -> Any:
        data = mirflickr25k(root, **changes)
        monkeypatch.setattr(data, "published", {"": 40})
        return data

    return make


def test_shares_of_pairs_are_those_of_counting_them_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randint(2, (30, 4), generator=generator, dtype=torch.uint8)
    database = torch.randint(2, (50, 4), generator=generator, dtype=torch.uint8)
    counted = {"identical": 0, "partly similar": 0, "disjoint": 0}
    for one in query.tolist():
        for other in database.tolist():
            shared = sum(a * b for a, b in zip(one, other, strict=True))
            counted["identical" if shared and one == other else "partly similar" if shared else "disjoint"] += 1

    shares = pair_shares(query, database, block=7)

    assert shares == {kind: pytest.approx(count / 1500) for kind, count in counted.items()}


def test_a_data_set_without_faults_is_fit_for_training(tmp_path: Path, write_mirflickr25k: Make, tiny: Make) -> None:
    labels = write_mirflickr25k(tmp_path)

    report = verify(tiny(tmp_path), "tiny")

    assert report.ok
    assert "Fit for training." in report.text()
    assert report.to_exclude == []
    used = sum(report.counts.values())
    assert report.facts["images"] == str(used)
    assert report.class_counts == dict(zip(["animals", "baby", "baby_r1", "sky", "sky_r1"], labels.sum(0), strict=True))
    assert findings(report)["photos that are grey"] == sorted(f"mirflickr/im{n}.jpg" for n in range(5, 41, 5))


def test_everything_that_is_wrong_is_named(tmp_path: Path, write_mirflickr25k: Make, tiny: Make) -> None:
    write_mirflickr25k(tmp_path)
    photos = tmp_path / "mirflickr"
    (photos / "im3.jpg").unlink()
    (photos / "im7.jpg").write_bytes(b"")
    (photos / "im8.jpg").write_bytes(b"<html>gone</html>")
    shutil.copy(photos / "im11.jpg", photos / "im12.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photos / "im13.jpg") as image:
        image.convert("CMYK").save(photos / "im13.jpg", exif=exif)

    report = verify(tiny(tmp_path), "tiny")

    assert not report.ok
    found = findings(report)
    assert found["missing photos"] == ["mirflickr/im3.jpg"]
    assert found["photos that cannot be decoded"] == [
        "mirflickr/im7.jpg (the file is empty)",
        "mirflickr/im8.jpg (it is a web page, not a picture; probably the photo is no longer there)",
    ]
    assert found["pictures that are there more than once"] == ["mirflickr/im11.jpg = mirflickr/im12.jpg"]
    assert found["photos that are CMYK, turned by their EXIF orientation"] == ["mirflickr/im13.jpg"]
    assert report.to_exclude == ["mirflickr/im3.jpg", "mirflickr/im7.jpg", "mirflickr/im8.jpg"]


def test_without_what_it_says_to_exclude_the_data_are_fit(tmp_path: Path, write_mirflickr25k: Make, tiny: Make) -> None:
    write_mirflickr25k(tmp_path / "data")
    (tmp_path / "data" / "mirflickr" / "im3.jpg").write_bytes(b"")
    report = verify(tiny(tmp_path / "data"), "tiny")
    assert not report.ok
    (tmp_path / "exclude.txt").write_text("\n".join(report.to_exclude))

    data = tiny(tmp_path / "data", exclude=str(tmp_path / "exclude.txt"))

    assert verify(data, "tiny").ok
    data.prepare_data()


def test_another_number_of_photos_than_published_is_said(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)

    report = verify(mirflickr25k(tmp_path), "tiny")

    assert not report.ok
    (difference,) = findings(report)["official splits with another number of photos than published"]
    assert difference == "all (40 listed, 25,000 published)"


def test_sets_that_cannot_be_made_are_a_finding(tmp_path: Path, write_mirflickr25k: Make, tiny: Make) -> None:
    write_mirflickr25k(tmp_path)

    report = verify(tiny(tmp_path, num_classes=38), "tiny")

    assert not report.ok
    assert "data.num_classes is 38" in findings(report)["error"][0]


def test_images_in_memory_are_reported_too() -> None:
    data = DigitsDataModule(
        num_train=30,
        num_validation=20,
        num_query=10,
        num_database=40,
        augment=nn.Identity(),
        num_classes=10,
        batch_size=4,
        num_workers=0,
        seed=0,
    )

    report = verify(data, "tiny")

    assert report.ok
    assert report.counts == {"train": 30, "validation": 20, "query": 10, "database": 40}
    assert report.checksum == data.checksum()


@pytest.mark.slow
def test_the_real_mirflickr_is_reported_as_it_is_known(mirflickr25k: Make) -> None:
    archive, lists = (
        SHARED / "mirflickr25k" / "mirflickr25k_128px.zip",
        SHARED / "labels" / "mirflickr25k.npz",
    )
    if not archive.is_file():
        pytest.skip("needs the photos of MIRFLICKR-25K")
    protocol = SplitFile(str(lists), train_in_database=False, unlabelled="keep")
    data = mirflickr25k(archive, protocol=protocol, num_classes=38, num_validation=500, resize=128, image_size=128)

    report = verify(data, "tiny")

    assert report.ok
    assert report.counts == {"train": 3500, "validation": 500, "query": 1000, "database": 20000}
    found = findings(report)
    assert len(found["photos that are grey"]) == 1738
    assert found["pictures that are there more than once"] == ["mirflickr/im6602.jpg = mirflickr/im6921.jpg"]
    with np.load(lists) as stored:
        counts = dict(zip(stored["class_names"].tolist(), stored["labels"].sum(0, dtype=int).tolist(), strict=True))
        assert len(found["images without labels"]) == (stored["labels"].sum(1) == 0).sum()
    assert report.class_counts == counts


@pytest.mark.slow
def test_the_real_voc2007_test_has_its_published_class_counts(voc: Make) -> None:
    archive, lists = SHARED / "voc2007" / "voc2007_test_256px.zip", SHARED / "labels" / "voc2007_test.npz"
    if not archive.is_file():
        pytest.skip("needs the photos of VOC2007")
    data = voc(archive, num_classes=20, split={"num_train": 2000, "num_query": 500}, num_validation=400)

    report = verify(data, "tiny")

    assert report.ok
    with np.load(lists) as stored:
        counts = stored["labels"].sum(0, dtype=int).tolist()
    assert list(report.class_counts.values()) == counts
    assert sum(report.counts.values()) == 4952


def test_a_photo_of_too_many_pixels_is_a_finding(tmp_path: Path, write_mirflickr25k: Make, tiny: Make) -> None:
    write_mirflickr25k(tmp_path)
    path = tmp_path / "mirflickr" / "im9.jpg"
    data = path.read_bytes()
    frame = data.index(b"\xff\xc0")
    path.write_bytes(data[: frame + 5] + (20_000).to_bytes(2, "big") * 2 + data[frame + 9 :])

    report = verify(tiny(tmp_path), "tiny")

    (found,) = findings(report)["photos that cannot be decoded"]
    assert found.startswith("mirflickr/im9.jpg (it has 20000 x 20000 pixels")


def test_a_photo_that_is_a_pipe_is_missing(tmp_path: Path, write_mirflickr25k: Make, tiny: Make) -> None:
    write_mirflickr25k(tmp_path)
    path = tmp_path / "mirflickr" / "im9.jpg"
    path.unlink()
    os.mkfifo(path)

    assert findings(verify(tiny(tmp_path), "tiny"))["missing photos"] == ["mirflickr/im9.jpg"]


@pytest.mark.filterwarnings("ignore:.*in no split")
def test_photos_of_a_misspelt_split_are_a_finding(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("custom").write_table(tmp_path, one_column=True)
    text = (tmp_path / "photos.csv").read_text(encoding="utf-8-sig").replace(",train,", ",tarin,", 2)
    (tmp_path / "photos.csv").write_text(text.replace(",database,", ",,", 1))
    protocol = OfficialSplits(["train"], ["query"], ["database"], "evaluate")

    report = verify(
        TableDataModule(**arguments(root=str(tmp_path), table="photos.csv", protocol=protocol, num_classes=3)), "table"
    )

    assert report.ok
    assert findings(report)["photos in no split"] == [
        "my photos/train Größe 0.png (tarin)",
        "my photos/train Größe 1.png (tarin)",
        "my photos/database Größe 0.png (of no official split)",
    ]
