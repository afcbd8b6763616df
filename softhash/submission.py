"""Submitting a multirun to Slurm: whether it answers, and how to learn that a job has ended."""

import logging
import shutil
import subprocess
import sys
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

_SECONDS = 20  # for Slurm to answer; its commands try for minutes
_log = logging.getLogger(__name__)


class SlurmSubmission(Callback):
    """Stop before anything is submitted where Slurm does not answer; watch the queue where it keeps no accounts."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Ask Slurm for its state, and for its accounts.

        Raises:
            SystemExit: Slurm is not installed here or does not answer; Hydra turns other exceptions into warnings.
        """
        refuse_unreachable()
        if not keeps_accounts():
            _log.info("Slurm keeps no accounts here (sacct); the queue is watched instead.")
            SlurmJob.watcher = QueueWatcher(delay_s=60)


class QueueWatcher(SlurmInfoWatcher):
    """States of the user's jobs in the queue; one that is no longer there has ended.

    submitit asks ``sacct``, and waits for ever for a job that was killed where there is none.
    """

    def _make_command(self) -> list[str] | None:
        command = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%N"]
        return command if self._registered - self._finished else None

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """States by number of the job."""
        listed = string.decode() if isinstance(string, bytes) else string
        known: dict[str, dict[str, str]] = super().read_info(f"JobID|State|NodeList\n{listed}")
        gone = {"State": "no longer in the queue", "NodeList": ""}
        return dict.fromkeys(self._registered, gone) | known


def refuse_unreachable() -> None:
    """Stop where jobs cannot be submitted.

    Raises:
        SystemExit: Says what Slurm said.
    """
    missing = [command for command in ("sbatch", "squeue", "scontrol") if shutil.which(command) is None]
    if missing:
        sys.exit(
            f"softhash: hydra/launcher=slurm needs Slurm's commands, and {', '.join(missing)} cannot be found.\n"
            "  Submit from a login node of the cluster, or take hydra/launcher=basic to run the jobs here."
        )
    problem = _asked(["squeue", "--me", "--noheader"])
    if problem:
        sys.exit(
            f"softhash: Slurm is not reachable, so nothing was submitted: {problem}\n  sinfo shows when it is back."
        )


def keeps_accounts() -> bool:
    """Whether ``sacct`` answers."""
    return shutil.which("sacct") is not None and not _asked(["sacct", "--noheader", "--allocations"])


def _asked(command: list[str]) -> str:
    """What a command complains of; empty where it succeeds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"{command[0]} had no answer in {_SECONDS} seconds"
    complaint = done.stderr.strip().splitlines() or [f"{command[0]} failed"]
    return "" if done.returncode == 0 else complaint[-1]
