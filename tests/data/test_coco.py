import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softhash.data.coco import COCODataModule

Make = Callable[..., Any]


def coco(arguments: Make, root: Path, **changes: Any) -> COCODataModule:
    own = {"root": str(root), "parts": ["train2014", "val2014"], "num_classes": 3}
    return COCODataModule(**arguments(**(own | changes)))


def test_coco_has_the_categories_of_each_photo_in_alphabetical_order(
    tmp_path: Path, layout: Make, arguments: Make, by_id: Make
) -> None:
    present = layout("coco").write_coco(tmp_path)

    data = coco(arguments, tmp_path)
    data.setup()

    assert data.class_names == ["bicycle", "person", "stop sign"]
    for name, labels in by_id(data).items():
        assert {data.class_names[column] for column in np.flatnonzero(labels)} == present[name]


def test_an_annotation_of_a_photo_that_is_not_listed_is_refused(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("coco").write_coco(tmp_path)
    path = tmp_path / "annotations" / "instances_val2014.json"
    stored = json.loads(path.read_text())
    stored["annotations"].append({"id": 99, "image_id": 1, "category_id": 1})
    path.write_text(json.dumps(stored))

    with pytest.raises(ValueError, match=r"instances_val2014\.json is broken, or annotates an image that it does not"):
        coco(arguments, tmp_path).setup()


def test_half_an_annotation_file_is_refused(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("coco").write_coco(tmp_path)
    path = tmp_path / "annotations" / "instances_train2014.json"
    path.write_text(path.read_text()[:500])

    with pytest.raises(ValueError, match=r"instances_train2014\.json is broken"):
        coco(arguments, tmp_path).setup()
