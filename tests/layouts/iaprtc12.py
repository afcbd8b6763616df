"""A tiny IAPR TC-12 exactly as the archives of photos and of annotations unpack into one folder."""

from pathlib import Path

import numpy as np
from PIL import Image

WORDS = ("adult", "bike", "sky", "wall", "woman")


def write_iaprtc12(root: Path, num_train: int = 40, num_test: int = 12, seed: int = 0) -> dict[str, np.ndarray]:
    """Write photos, lists, dictionary and vectors; give the labels ``(5,)`` of each path."""
    rng = np.random.default_rng(seed)
    (root / "iaprtc12_dictionary.txt").parent.mkdir(parents=True, exist_ok=True)
    (root / "iaprtc12_dictionary.txt").write_text("\n".join(WORDS) + "\n")
    labels: dict[str, np.ndarray] = {}
    start = 0
    for part, count in (("train", num_train), ("test", num_test)):
        names = [f"{row % 3:02d}/{row}" for row in range(start, start + count)]
        start += count
        values = (rng.random((count, len(WORDS))) < 0.4).astype("<i2")
        values[values.sum(1) == 0, 0] = 1
        for name, value in zip(names, values, strict=True):
            path = root / "images" / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(256, size=(36, 48, 3), dtype=np.uint8)).save(path)
            labels[f"images/{name}.jpg"] = value
        (root / f"iaprtc12_{part}_list.txt").write_text("".join(f"{name}\n" for name in names))
        lengths = np.full((count, 1), len(WORDS), dtype="<i2")
        (root / f"iaprtc12_{part}_annot.hvecs").write_bytes(np.hstack([lengths, values]).astype("<i2").tobytes())
    return labels


def write_for(config: str, root: Path) -> list[str]:
    """Write the fake, and give the overrides with which the config ``data=...`` takes it."""
    del config
    write_iaprtc12(root)
    return [
        "data.num_classes=5",
        "data.num_validation=12",
        "data.protocol.num_query=6",
        "data.protocol.num_train=24",
    ]
