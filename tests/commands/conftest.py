import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def softhash(tmp_path_factory: pytest.TempPathFactory) -> Softhash:
    """Run the console command in a folder, and fail with what it printed unless it ends as expected."""
    cache = str(tmp_path_factory.mktemp("cache"))
    command = Path(sys.executable).parent / "softhash"

    def run(folder: Path, *arguments: str, code: int = 0, online: bool = False) -> "subprocess.CompletedProcess[str]":
        wandb = {"WANDB_MODE": "online" if online else "offline"}
        environment = {**os.environ, **wandb, "OMP_NUM_THREADS": "1", "COLUMNS": "120", "SOFTHASH_CACHE": cache}
        environment.pop("HYDRA_FULL_ERROR", None)
        result = subprocess.run(
            [str(command), *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, f"{result.stdout}\n{result.stderr}"
        return result

    return run


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
