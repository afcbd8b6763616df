"""A tiny SAIAPR TC-12 exactly as its archive unpacks; numbers of words have gaps, and one has no word."""

from pathlib import Path

import numpy as np
from PIL import Image

WORDS = {1: "air-vehicles", 2: "airplane", 3: "", 7: "sky-blue", 9: "child boy"}


def write_saiaprtc12(root: Path, count: int = 52, seed: int = 0) -> dict[str, set[str]]:
    """Write photos, words and segments; give the words of each path. The last photo has no segment."""
    rng = np.random.default_rng(seed)
    base = root / "benchmark"
    labels: dict[str, set[str]] = {}
    lines: dict[Path, list[str]] = {}
    for number in range(1, count + 1):
        folder = base / "saiapr_tc-12" / f"{number % 3:02d}"
        path = folder / "images" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(256, size=(36, 48, 3), dtype=np.uint8)).save(path)
        words = (
            [] if number == count else [int(word) for word in rng.choice(list(WORDS), size=3)] + [2 + 5 * (number % 2)]
        )
        labels[path.relative_to(root).as_posix()] = {WORDS[word] for word in words} - {""}
        lines.setdefault(folder, []).extend(f"{number}\t{segment}\t{word}" for segment, word in enumerate(words, 1))
    for folder, segments in lines.items():
        (folder / "labels.txt").write_text("".join(f"{line}\r\n" for line in segments), newline="")
    (base / "wlist.txt").write_text("".join(f"{number}\t{word}\r\n" for number, word in WORDS.items()), newline="")
    return labels


def write_for(config: str, root: Path) -> list[str]:
    """Write the fake, and give the overrides with which the config ``data=...`` takes it."""
    del config
    write_saiaprtc12(root)
    return [
        "data.num_classes=4",
        "data.num_validation=12",
        "data.protocol.num_query=6",
        "data.protocol.num_train=24",
    ]
