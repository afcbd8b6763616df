from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softhash.data.protocols import SplitFile

SHARED = Path(__file__).parents[3] / "shared" / "data"
Make = Callable[..., Any]


def test_mirflickr_is_read_from_its_official_layout(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    labels = write_mirflickr25k(tmp_path)

    data = mirflickr25k(tmp_path)
    data.setup()

    assert data.class_names == ["animals", "baby", "baby_r1", "sky", "sky_r1"]
    for split in data.sets.values():
        numbers = [int(name.removeprefix("mirflickr/im").removesuffix(".jpg")) for name in split.ids]
        np.testing.assert_array_equal(split.labels, labels[np.array(numbers) - 1])


def test_the_stricter_lists_can_be_left_out(tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make) -> None:
    write_mirflickr25k(tmp_path)

    data = mirflickr25k(tmp_path, relevant_labels=False, num_classes=3)
    data.setup()

    assert data.class_names == ["animals", "baby", "sky"]


def test_a_list_with_something_else_than_numbers_is_shown(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)
    (tmp_path / "mirflickr25k_annotations_v080" / "sky.txt").write_text("12\nim13.jpg\n")

    with pytest.raises(ValueError, match=r"sky\.txt should have one number of a photo per line, found 'im13\.jpg'"):
        mirflickr25k(tmp_path).setup()


def test_tags_are_the_words_of_twenty_photos_and_more(
    tmp_path: Path, layout: Callable[[str], Any], mirflickr25k: Make
) -> None:
    official = layout("mirflickr25k")
    official.write_mirflickr25k(tmp_path)
    tags = official.write_tags(tmp_path)

    data = mirflickr25k(tmp_path, tags=str(tmp_path))
    data.setup()

    for split in data.sets.values():
        numbers = [int(name.removeprefix("mirflickr/im").removesuffix(".jpg")) for name in split.ids]
        np.testing.assert_array_equal(split.__getitems__(range(len(split))).tags, tags[np.array(numbers) - 1])


def test_a_folder_without_the_lists_of_tags_is_named(
    tmp_path: Path, write_mirflickr25k: Make, mirflickr25k: Make
) -> None:
    write_mirflickr25k(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"data\.tags=.* lacks 40 of 40 files: mirflickr/meta/tags/tags1\.txt"):
        mirflickr25k(tmp_path, tags=str(tmp_path)).setup()


def test_the_real_mirflickr_has_its_published_labels_and_counts(mirflickr25k: Make) -> None:
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
