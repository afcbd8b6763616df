"""A tiny PASCAL VOC exactly as the official archives unpack."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("aeroplane", "cat", "diningtable")


def write_voc(
    root: Path, num_images: int = 40, year: int = 2007, parts: tuple[str, ...] = ("test",), seed: int = 0
) -> np.ndarray:
    """Write photos, image sets and annotations; the images are dealt to the parts in turn.

    Returns:
        The states ``(N, 3)``: 1 present, 0 difficult objects only, -1 absent.
    """
    rng = np.random.default_rng(seed)
    states = rng.choice([1, 0, -1], size=(num_images, len(CLASSES)), p=[0.4, 0.1, 0.5])
    states[(states != 1).all(1), 1] = 1
    base = root / "VOCdevkit" / f"VOC{year}"
    for folder in ("JPEGImages", "ImageSets/Main", "Annotations"):
        (base / folder).mkdir(parents=True)
    ids = [f"{2 * row + 1:06d}" if year == 2007 else f"2008_{2 * row + 1:06d}" for row in range(num_images)]
    for image, state in zip(ids, states, strict=True):
        pixels = rng.integers(256, size=(50, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(base / "JPEGImages" / f"{image}.jpg")
        (base / "Annotations" / f"{image}.xml").write_text(_annotation(image, year, state))
    for start, part in enumerate(parts):
        chosen = range(start, num_images, len(parts))
        main = base / "ImageSets" / "Main"
        (main / f"{part}.txt").write_text("".join(f"{ids[row]}\n" for row in chosen))
        for column, name in enumerate(CLASSES):
            lines = "".join(f"{ids[row]} {states[row, column]:2d}\n" for row in chosen)
            (main / f"{name}_{part}.txt").write_text(lines)
    return states


def _annotation(image: str, year: int, states: np.ndarray) -> str:
    objects = "".join(
        f"\t<object>\n\t\t<name>{name}</name>\n\t\t<pose>Left</pose>\n\t\t<truncated>1</truncated>\n"
        f"\t\t<difficult>{int(state == 0)}</difficult>\n"
        "\t\t<bndbox>\n\t\t\t<xmin>8</xmin>\n\t\t\t<ymin>12</ymin>\n"
        "\t\t\t<xmax>32</xmax>\n\t\t\t<ymax>30</ymax>\n\t\t</bndbox>\n\t</object>\n"
        for name, state in zip(CLASSES, states, strict=True)
        if state >= 0
    )
    return (
        f"<annotation>\n\t<folder>VOC{year}</folder>\n\t<filename>{image}.jpg</filename>\n\t<size>\n"
        f"\t\t<width>60</width>\n\t\t<height>50</height>\n\t\t<depth>3</depth>\n\t</size>\n{objects}</annotation>\n"
    )


def write_for(config: str, root: Path) -> list[str]:
    """Write the fake, and give the overrides with which the config ``data=...`` takes it."""
    year = int(config.removeprefix("voc"))
    write_voc(root, year=year, parts=("test",) if year == 2007 else ("train", "val"))
    return [
        "data.num_classes=3",
        "data.num_validation=12",
        "data.protocol.num_query=6",
        "data.protocol.num_train=22",
    ]
