from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softhash.data.protocols import OfficialSplits

SHARED = Path(__file__).parents[3] / "shared" / "data"
Make = Callable[..., Any]


def test_voc_counts_a_class_of_difficult_objects_as_absent(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    states = write_voc(tmp_path)

    data = voc(tmp_path)
    data.setup()

    assert data.class_names == ["aeroplane", "cat", "diningtable"]
    for split in data.sets.values():
        rows = [(int(name[-10:-4]) - 1) // 2 for name in split.ids]
        np.testing.assert_array_equal(split.labels, (states[rows] == 1).astype(np.uint8))


def test_a_missing_photo_of_voc_is_named(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path)
    (tmp_path / "VOCdevkit" / "VOC2007" / "JPEGImages" / "000007.jpg").unlink()

    with pytest.raises(FileNotFoundError, match=r"lacks 1 of 40 files: VOCdevkit/VOC2007/JPEGImages/000007\.jpg"):
        voc(tmp_path).setup()


def test_a_list_with_an_image_of_another_part_is_refused(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path)
    with (tmp_path / "VOCdevkit" / "VOC2007" / "ImageSets" / "Main" / "cat_test.txt").open("a") as lines:
        lines.write("009999  1\n")

    with pytest.raises(ValueError, match=r"cat_test\.txt lists 009999, which is not in test\.txt"):
        voc(tmp_path).setup()


def test_voc_takes_objects_where_there_are_no_lists_of_classes(
    tmp_path: Path, write_voc: Make, voc: Make, by_id: Make
) -> None:
    write_voc(tmp_path)
    listed = voc(tmp_path)
    listed.setup()
    for path in (tmp_path / "VOCdevkit/VOC2007/ImageSets/Main").glob("*_test.txt"):
        path.unlink()

    annotated = voc(tmp_path)
    annotated.setup()

    assert annotated.class_names == listed.class_names
    assert by_id(annotated) == by_id(listed)


def test_objects_of_no_class_of_voc_are_named(tmp_path: Path, voc: Make, write_voc: Make) -> None:
    write_voc(tmp_path)
    base = tmp_path / "VOCdevkit" / "VOC2007"
    (base / "ImageSets" / "Main" / "kat_test.txt").write_text("000001  1\n")
    with pytest.raises(ValueError, match=r"ImageSets/Main has lists of what is no class of VOC: kat$"):
        voc(tmp_path).setup()

    for path in (base / "ImageSets" / "Main").glob("*_test.txt"):
        path.unlink()
    path = base / "Annotations" / "000003.xml"
    path.write_text(path.read_text().replace("</annotation>", "<object><name>kat</name></object></annotation>"))
    with pytest.raises(ValueError, match=r"1 annotated objects are of no class of VOC: .*/000003\.xml \(kat\)"):
        voc(tmp_path).setup()


def test_broken_xml_is_named(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path)
    base = tmp_path / "VOCdevkit" / "VOC2007"
    for path in (base / "ImageSets" / "Main").glob("*_test.txt"):
        path.unlink()
    (base / "Annotations" / "000003.xml").write_text("<annotation><object>")

    with pytest.raises(ValueError, match=r"1 of 40 annotations are not XML: .*000003\.xml"):
        voc(tmp_path).setup()


def test_parts_of_voc2012_are_a_protocol(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path, year=2012, parts=("train", "val"))
    protocol = OfficialSplits(["train"], ["val"], ["train"], "evaluate")

    data = voc(tmp_path, year=2012, parts=["train", "val"], protocol=protocol)
    data.setup()

    assert [len(data.sets[name]) for name in ("train", "validation", "query", "database")] == [14, 6, 20, 20]


def test_the_real_voc2007_test_has_its_published_labels(voc: Make) -> None:
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
