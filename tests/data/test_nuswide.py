from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from softhash.data.nuswide import NUSWideDataModule

Make = Callable[..., Any]


def nuswide(arguments: Make, root: Path, **changes: Any) -> NUSWideDataModule:
    return NUSWideDataModule(
        **arguments(**({"root": str(root), "concepts": None, "num_classes": 4, "missing": "skip"} | changes))
    )


def test_nuswide_is_read_in_the_order_of_its_list(tmp_path: Path, layout: Make, arguments: Make, by_id: Make) -> None:
    ids, labels = layout("nuswide").write_nuswide(tmp_path)

    data = nuswide(arguments, tmp_path)
    data.setup()

    assert data.class_names == ["airport", "clouds", "sky", "water"]
    expected = dict(zip(ids, labels.tolist(), strict=True))
    assert all(expected[name] == found for name, found in by_id(data).items())


def test_concepts_keep_the_order_that_is_asked_for(tmp_path: Path, layout: Make, arguments: Make, by_id: Make) -> None:
    ids, labels = layout("nuswide").write_nuswide(tmp_path)

    data = nuswide(arguments, tmp_path, concepts=["sky", "airport"], num_classes=2)
    data.setup()

    assert data.class_names == ["sky", "airport"]
    expected = dict(zip(ids, labels[:, [2, 0]].tolist(), strict=True))
    assert all(expected[name] == found for name, found in by_id(data).items())


def test_photos_that_are_gone_are_skipped_or_refused_as_asked(
    tmp_path: Path, layout: Make, arguments: Make, by_id: Make
) -> None:
    ids, _ = layout("nuswide").write_nuswide(tmp_path, num_missing=4)

    data = nuswide(arguments, tmp_path)
    data.setup()

    assert data.skipped == dict.fromkeys(ids[:4], "missing")
    assert not set(ids[:4]) & set(by_id(data))
    with pytest.raises(FileNotFoundError, match=f"lacks 4 of 60 files: {ids[0]}, {ids[1]}"):
        nuswide(arguments, tmp_path, missing="refuse").setup()


def test_labels_of_another_number_of_photos_are_refused(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("nuswide").write_nuswide(tmp_path)
    with (tmp_path / "Groundtruth" / "AllLabels" / "Labels_sky.txt").open("a") as lines:
        lines.write("1\n")

    with pytest.raises(ValueError, match=r"Labels_sky\.txt has 61 lines of 0 or 1, .*Imagelist\.txt has 60 images"):
        nuswide(arguments, tmp_path).setup()


def test_a_concept_that_does_not_exist_is_named(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("nuswide").write_nuswide(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"lacks 1 of 1 files: Groundtruth/AllLabels/Labels_skyy\.txt"):
        nuswide(arguments, tmp_path, concepts=["skyy"], num_classes=1).setup()
