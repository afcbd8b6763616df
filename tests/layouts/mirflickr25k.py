"""A tiny MIRFLICKR-25K exactly as the official archives unpack."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("animals", "baby", "baby_r1", "sky", "sky_r1")


def write_mirflickr25k(root: Path, num_images: int = 40, seed: int = 0) -> np.ndarray:
    """Write photos of odd sizes and the lists of five classes; give the labels ``(N, 5)``.

    Image 1 has no label.
    """
    rng = np.random.default_rng(seed)
    labels = (rng.random((num_images, len(CLASSES))) < 0.5).astype(np.uint8)
    labels[labels.sum(1) == 0, 0] = 1
    labels[0] = 0
    (root / "mirflickr").mkdir(parents=True)
    (root / "mirflickr25k_annotations_v080").mkdir()
    for number in range(1, num_images + 1):
        size = (int(rng.integers(40, 60)), int(rng.integers(40, 60)))
        mode = "L" if number % 5 == 0 else "RGB"
        image = Image.fromarray(rng.integers(256, size=(size[1], size[0], 3), dtype=np.uint8)).convert(mode)
        image.save(root / "mirflickr" / f"im{number}.jpg")
    for column, name in enumerate(CLASSES):
        numbers = np.flatnonzero(labels[:, column]) + 1
        path = root / "mirflickr25k_annotations_v080" / f"{name}.txt"
        path.write_text("\r\n".join(map(str, numbers)) + "\r\n")
    (root / "mirflickr25k_annotations_v080" / "README.txt").write_text("The annotations of MIRFLICKR-25000.\n")
    return labels


def write_tags(root: Path, num_images: int = 40) -> np.ndarray:
    """Write the lists of tags; give those ``(N, 2)`` of 20 photos and more: "beach" of 20 and "zoo" of 21.

    Image 1 has no tag.
    """
    folder = root / "mirflickr" / "meta" / "tags"
    folder.mkdir(parents=True)
    tags = np.zeros((num_images, 2), dtype=np.uint8)
    tags[1:21, 0], tags[19:40, 1] = 1, 1
    for number in range(1, num_images + 1):
        words = [word for word, tag in zip(("beach", "zoo"), tags[number - 1], strict=True) if tag]
        rare = ["münchen"] if 1 < number < 21 else []  # of 19 photos
        (folder / f"tags{number}.txt").write_text("\r\n".join([*words, *rare]), encoding="utf-8")
    return tags


def write_for(config: str, root: Path) -> list[str]:
    """Write the fake, and give the overrides with which the config ``data=...`` takes it."""
    write_mirflickr25k(root)
    return [
        f"data.num_classes={3 if config == 'mirflickr25k_24' else 5}",
        "data.num_validation=12",
        "data.protocol.num_query=6",
        "data.protocol.num_train=24",
    ]
