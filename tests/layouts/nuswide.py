"""A tiny NUS-WIDE exactly as the official archives unpack, with some photos missing as at Flickr."""

from pathlib import Path

import numpy as np
from PIL import Image

CONCEPTS = ("airport", "clouds", "sky", "water")


def write_nuswide(
    root: Path, num_images: int = 60, num_missing: int = 4, seed: int = 0
) -> tuple[list[str], np.ndarray]:
    """Write all lists, and all photos but the first few; give the paths ``(N,)`` and labels ``(N, 4)``.

    The image at row 7 has no label.
    """
    rng = np.random.default_rng(seed)
    labels = (rng.random((num_images, len(CONCEPTS))) < 0.4).astype(np.uint8)
    labels[labels.sum(1) == 0, 2] = 1
    labels[7] = 0
    names = [f"{('actor', 'zebra')[row % 2]}/{row:04d}_{2124494179 + row}.jpg" for row in range(num_images)]
    for folder in ("Flickr/actor", "Flickr/zebra", "ImageList", "ConceptsList", "Groundtruth/AllLabels"):
        (root / folder).mkdir(parents=True)
    for name in names[num_missing:]:
        Image.fromarray(rng.integers(256, size=(44, 52, 3), dtype=np.uint8)).save(root / "Flickr" / name)
    listed = "".join(name.replace("/", "\\") + "\r\n" for name in names)
    (root / "ImageList" / "Imagelist.txt").write_text(listed, newline="")
    (root / "ConceptsList" / "Concepts81.txt").write_text("".join(f"{name}\n" for name in CONCEPTS))
    for column, name in enumerate(CONCEPTS):
        values = "".join(f"{value}\n" for value in labels[:, column])
        (root / "Groundtruth" / "AllLabels" / f"Labels_{name}.txt").write_text(values)
    return [f"Flickr/{name}" for name in names], labels


def write_for(config: str, root: Path) -> list[str]:
    """Write the fake, and give the overrides with which the config ``data=...`` takes it."""
    write_nuswide(root, num_images=80)
    sizes = {
        "nuswide21": ["data.protocol.query_per_class=2", "data.protocol.train_per_class=6"],
        "nuswide81": ["data.protocol.num_query=6", "data.protocol.num_train=24"],
    }
    return ["data.concepts=null", "data.num_classes=4", "data.num_validation=12", *sizes[config]]
