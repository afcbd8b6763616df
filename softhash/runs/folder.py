"""What lies in a run folder, and how it is written and read."""

import csv
import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from softhash.storage.atomic import atomic_write

_LIBRARIES = ("softhash", "torch", "torchvision", "pytorch-lightning", "torchmetrics", "hydra-core", "numpy")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON, whole or not at all."""
    with atomic_write(path) as aside:
        aside.write_text(json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote; an absent file is an empty mapping."""
    return json.loads(path.read_text()) if path.is_file() else {}


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays as a compressed npz file, whole or not at all."""
    with atomic_write(path) as aside:
        np.savez_compressed(aside, **arrays)


def read_arrays(path: Path) -> dict[str, Any]:
    """Read what :func:`write_arrays` wrote, into memory."""
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


class Series(NamedTuple):
    """What was logged under one name, by optimisation step; the epoch counts from 0."""

    steps: list[int]
    epochs: list[int]
    values: list[float]


def read_log(folder: Path) -> dict[str, Series]:
    """Losses and validation measures in the CSV logs of a run, by the name they were logged under.

    A resumed run has several logs; what it did again counts.
    """
    found: dict[str, dict[int, tuple[int, float]]] = {}
    versions = sorted(folder.glob("metrics/version_*/metrics.csv"), key=lambda path: int(path.parent.name[8:]))
    for path in versions:
        with path.open(newline="") as lines:
            for line in csv.DictReader(lines):
                for name, value in line.items():
                    if value and name.startswith(("train/", "validation/")):
                        found.setdefault(name, {})[int(line["step"])] = (int(line["epoch"]), float(value))
    return {
        name: Series(steps := sorted(by_step), [by_step[s][0] for s in steps], [by_step[s][1] for s in steps])
        for name, by_step in found.items()
    }


def surroundings(source: Path) -> dict[str, Any]:
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
