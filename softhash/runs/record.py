"""What is written into a run folder before anything is trained."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from softhash.data.base import RetrievalDataModule
from softhash.runs.folder import Record, Run
from softhash.types import Codes

RANDOM = "random"  # the method that knows nothing of the images
_LIBRARIES = ("softhash", "torch", "torchvision", "pytorch-lightning", "torchmetrics", "hydra-core", "numpy")


def write_beginning(run: Run, config: str, record: Record, data: RetrievalDataModule) -> None:
    """Write configuration, record, relevance and the codes of chance.

    Args:
        run: Where to.
        config: The resolved configuration, as YAML.
        record: What the run is.
        data: Its data, set up.
    """
    query, database = data.sets["query"], data.sets["database"]
    run.write_config(config)
    run.write_record(record)
    run.write_relevance(data.relevance("query", "database"), query.ids, database.ids)
    run.write_codes(RANDOM, random_codes(len(query), len(database), record.bits, record.seed))


def random_codes(num_query: int, num_database: int, bits: int, seed: int) -> Codes:
    """Codes without any knowledge of the images: what they score is the chance level."""
    rng = np.random.default_rng(seed)
    query, database = (
        torch.from_numpy(np.packbits(rng.integers(2, size=(count, bits), dtype=np.uint8), axis=1, bitorder="little"))
        for count in (num_query, num_database)
    )
    return Codes(query, database, bits, relaxed=torch.empty(0, bits))


def environment(source: Path) -> dict[str, str]:
    """Versions of Python, of the libraries that decide a number, and of the checkout that holds ``source``."""
    libraries = {name: version(name) for name in _LIBRARIES}
    commit = _git(source, "rev-parse", "HEAD")
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **libraries,
        "commit": commit and commit + (" with changes" if _git(source, "status", "--porcelain") else ""),
    }


def _git(folder: Path, *arguments: str) -> str:
    """Answer of git, empty where there is no git or no checkout."""
    try:
        answer = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
