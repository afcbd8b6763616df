"""``softhash data verify``: what a data set holds, and what is wrong with it."""

import sys
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from softhash.report.data_set import verify
from softhash.storage.atomic import atomic_write


def run(cfg: DictConfig) -> None:
    """Print the report; end with exit code 1 where the data set is not fit for training."""
    report = verify(instantiate(cfg.data), cfg.names.data)
    print(report.text())  # noqa: T201 - to be pasted, so without a console's markup and line breaks
    if cfg.write_exclude is not None:
        with atomic_write(Path(cfg.write_exclude)) as aside:
            aside.write_text("".join(f"{name}\n" for name in report.to_exclude), encoding="utf-8")
        print(f"{len(report.to_exclude):,} photos to exclude: {cfg.write_exclude}")  # noqa: T201
    sys.exit(0 if report.ok else 1)
