"""Photos of somebody's own, in the three ways they may be listed."""

from pathlib import Path

import numpy as np
from PIL import Image

LABELS = ("bird", "cat", "dög")
SPLITS = {"train": 24, "query": 6, "database": 12}


def write_photos(root: Path, seed: int = 0) -> dict[str, tuple[str, list[int]]]:
    """Write photos with spaces and umlauts in their names; give split and labels ``(3,)`` of each path."""
    rng = np.random.default_rng(seed)
    photos: dict[str, tuple[str, list[int]]] = {}
    for split, count in SPLITS.items():
        for number in range(count):
            path = root / "my photos" / f"{split} Größe {number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(256, size=(40, 44, 3), dtype=np.uint8)).save(path)
            labels = (rng.random(len(LABELS)) < 0.5).astype(int)
            labels[number % len(LABELS)] = 1
            photos[path.relative_to(root).as_posix()] = (split, labels.tolist())
    return photos


def write_table(root: Path, one_column: bool) -> dict[str, tuple[str, list[int]]]:
    """Write ``photos.csv`` with one column of names, or a column of 0 and 1 for each class."""
    photos = write_photos(root)
    lines = ["path,split,labels" if one_column else f"path,split,{','.join(LABELS)}"]
    for path, (split, labels) in photos.items():
        names = ";".join(name for name, label in zip(LABELS, labels, strict=True) if label)
        lines.append(f"{path},{split},{names if one_column else ','.join(map(str, labels))}")
    (root / "photos.csv").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig", newline="")
    return photos


def write_lists(root: Path) -> dict[str, tuple[str, list[int]]]:
    """Write ``train.txt``, ``test.txt`` and ``database.txt``, which lists the training images as well."""
    photos = write_photos(root)
    for name, splits in (("train", {"train"}), ("test", {"query"}), ("database", {"database", "train"})):
        lines = [
            f"{path} {' '.join(map(str, labels))}\n" for path, (split, labels) in photos.items() if split in splits
        ]
        (root / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    return photos


def write_folders(root: Path, divided: bool) -> None:
    """Write 14 photos for each of three labels, below ``train``, ``query``, ``database`` if ``divided``."""
    rng = np.random.default_rng(0)
    for label in LABELS:
        for number in range(14):
            split = ("train", "train", "query", "database")[number % 4]
            path = (root / split if divided else root) / label / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(256, size=(40, 44, 3), dtype=np.uint8)).save(path)


def write_for(config: str, root: Path) -> list[str]:
    """Write the fake, and give the overrides with which the config ``data=...`` takes it."""
    writers = {
        "table": lambda: write_table(root, one_column=True),
        "lists": lambda: write_lists(root),
        "folders": lambda: write_folders(root, divided=True),
    }
    writers[config]()
    return ["data.num_classes=3", "data.num_validation=11"]
