"""A tiny VOC2007 exactly as the official archives unpack."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("aeroplane", "cat", "diningtable")


def write_voc2007(root: Path, num_images: int = 40, part: str = "test", seed: int = 0) -> np.ndarray:
    """Write photos and image sets; give the states ``(N, 3)``: 1 present, 0 difficult objects only, -1 absent."""
    rng = np.random.default_rng(seed)
    states = rng.choice([1, 0, -1], size=(num_images, len(CLASSES)), p=[0.4, 0.1, 0.5])
    states[(states != 1).all(1), 1] = 1
    base = root / "VOCdevkit" / "VOC2007"
    for folder in ("JPEGImages", "ImageSets/Main", "Annotations"):
        (base / folder).mkdir(parents=True)
    ids = [f"{2 * row + 1:06d}" for row in range(num_images)]
    for image in ids:
        Image.fromarray(rng.integers(256, size=(50, 60, 3), dtype=np.uint8)).save(base / "JPEGImages" / f"{image}.jpg")
    (base / "ImageSets" / "Main" / f"{part}.txt").write_text("".join(f"{image}\n" for image in ids))
    for column, name in enumerate(CLASSES):
        lines = "".join(f"{image} {state:2d}\n" for image, state in zip(ids, states[:, column], strict=True))
        (base / "ImageSets" / "Main" / f"{name}_{part}.txt").write_text(lines)
    return states
