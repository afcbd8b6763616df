import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def quick() -> list[str]:
    """Overrides that make a training take seconds."""
    counts = {"num_train": 128, "num_validation": 64, "num_query": 32, "num_database": 160}
    return [
        "logger=csv",
        "bits=8",
        "epochs=1",
        "top_k=50",
        *(f"data.{name}={count}" for name, count in counts.items()),
    ]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, softhash: Softhash, quick: list[str]) -> Path:
    """Folder of one finished run; tests must not change it."""
    folder = tmp_path_factory.mktemp("trained")
    softhash(folder, "train", *quick)
    return next(folder.glob("runs/**/metrics.json")).parent
