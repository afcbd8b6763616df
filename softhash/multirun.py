"""The table at the end of a multirun."""

import atexit
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from softhash.report.tables import summary_table
from softhash.runs.folder import Run


class Summary(Callback):
    """Say which job failed and why as soon as it has, and print a table of all runs when the sweep ends.

    The table comes on success, failure and interruption alike.
    """

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Remember the time stamp that the folders of this sweep carry."""
        atexit.register(print_summary, config.started)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Report a failure at once: Hydra does so only when all jobs are over, and only the first."""
        if config.hydra.mode == RunMode.MULTIRUN and job_return.status == JobStatus.FAILED:
            error = job_return._return_value  # noqa: SLF001 - return_value would raise it
            job = " ".join(job_return.overrides or [])
            Console(stderr=True, soft_wrap=True).print(f"job {job} failed: {error}", markup=False)


def print_summary(started: str) -> None:
    """Print a table of the runs whose folders carry a time stamp."""
    results = [run.result() for run in Run.measured(Path("runs"), f"*-{started}-*")]
    if results:
        Console().print(summary_table(results))
