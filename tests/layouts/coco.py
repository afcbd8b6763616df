"""A tiny MS-COCO exactly as the official archives unpack."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

CATEGORIES = {1: "person", 2: "bicycle", 13: "stop sign"}  # numbers have gaps
PARTS = ("train2014", "val2014")


def write_coco(root: Path, num_images: int = 30, seed: int = 0) -> dict[str, set[str]]:
    """Write as many photos for each of the two parts; give the names of the categories of each path.

    The last image of each part has no annotation.
    """
    rng = np.random.default_rng(seed)
    (root / "annotations").mkdir(parents=True)
    present: dict[str, set[str]] = {}
    for part in PARTS:
        (root / part).mkdir()
        numbers = sorted(rng.choice(600000, num_images, replace=False).tolist())
        images, annotations = [], []
        for number in numbers:
            name = f"COCO_{part}_{number:012d}.jpg"
            pixels = rng.integers(256, size=(48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / part / name)
            images.append({"id": number, "file_name": name, "height": 48, "width": 64})
            objects = rng.choice(list(CATEGORIES), rng.integers(1, 4)).tolist() if number != numbers[-1] else []
            annotations += [
                {
                    "id": len(annotations) + i,
                    "image_id": number,
                    "category_id": kind,
                    "iscrowd": 0,
                    "bbox": [1, 2, 3, 4],
                }
                for i, kind in enumerate(objects)
            ]
            present[f"{part}/{name}"] = {CATEGORIES[kind] for kind in objects}
        stored = {
            "info": {"year": 2014},
            "images": images[::-1],  # in no particular order
            "annotations": annotations,
            "categories": [{"supercategory": "any", "id": kind, "name": name} for kind, name in CATEGORIES.items()],
        }
        (root / "annotations" / f"instances_{part}.json").write_text(json.dumps(stored))
    return present


def write_for(config: str, root: Path) -> list[str]:
    """Write the fake, and give the overrides with which the config ``data=...`` takes it."""
    del config
    write_coco(root)
    return [
        "data.num_classes=3",
        "data.num_validation=12",
        "data.protocol.num_query=6",
        "data.protocol.num_train=24",
    ]
