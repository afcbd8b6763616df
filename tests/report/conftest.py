import csv
from pathlib import Path

import numpy as np
import pytest

from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.weighted_average_precision import WeightedAveragePrecision
from softhash.runs.folder import write_arrays, write_json
from softhash.runs.measure import measure, write_random_codes

NAMES = ["cat", "<b>dog</b>", "tree"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of 20 queries, 60 database images and 8 bits, without training."""
    folder = tmp_path / "run"
    rng = np.random.default_rng(0)
    counts = {"train": 9, "validation": 9, "query": 20, "database": 60}
    identity = {
        "method": "mine",
        "data": "toy",
        "bits": 8,
        "seed": 3,
        "protocol": {"checksum": "c0ffee" * 8, "counts": counts},
    }
    write_json(
        folder / "run.json",
        {"identity": identity, "rows": ["mine", "random"], "versions": {"torch": "2.x", "commit": "abc"}},
    )
    labels = {"query_labels": (20, 3), "database_labels": (60, 3)}
    write_arrays(
        folder / "codes" / "labels.npz",
        **{name: rng.integers(2, size=shape, dtype=np.uint8) for name, shape in labels.items()},
        query_ids=np.array([f"q{i}" for i in range(20)]),
        database_ids=np.array([f"d{i}" for i in range(60)]),
        class_names=np.array(NAMES),
    )
    relaxed = rng.standard_normal((60, 8)).astype(np.float32)
    write_arrays(
        folder / "codes" / "mine.npz",
        query=rng.integers(256, size=(20, 1), dtype=np.uint8),
        database=np.packbits(relaxed > 0, axis=1, bitorder="little"),
        relaxed=relaxed,
    )
    write_random_codes(folder, 20, 60, bits=8, seed=3)
    measure(folder, [MeanAveragePrecision(), WeightedAveragePrecision()])
    return folder


@pytest.fixture
def logged(run: Path) -> Path:
    """The same, with the log of two epochs, the second of which was done again after a resumption."""
    for version, lines in enumerate(
        (
            [
                {"epoch": 0, "step": 0, "train/loss": 3.0},
                {"step": 1, "lr-Adam": 0.1},
                {"epoch": 0, "step": 1, "validation/mAP": 0.5},
                {"epoch": 1, "step": 2, "train/loss": 2.0},
            ],
            [
                {"epoch": 1, "step": 2, "train/loss": 1.5},
                {"epoch": 1, "step": 3, "validation/mAP": 0.6},
            ],
        )
    ):
        path = run / "metrics" / f"version_{version}" / "metrics.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["epoch", "lr-Adam", "step", "train/loss", "validation/mAP"])
            writer.writeheader()
            writer.writerows(lines)
    return run
