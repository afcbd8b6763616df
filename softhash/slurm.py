"""The batch job of Slurm that a process runs in, seen from inside."""

import os
import subprocess
from dataclasses import dataclass

_SECONDS = 60  # for Slurm to answer


@dataclass(frozen=True)
class SlurmJob:
    """A batch job, or one of an array.

    Attributes:
        name: ``12``, or ``12_3`` of an array.
        restarts: How often it was started again, by whomever.
        is_first_task: This process is the first one of the job.
    """

    name: str
    restarts: int
    is_first_task: bool

    @classmethod
    def current(cls) -> "SlurmJob | None":
        """The job of this process; None outside of Slurm and in an interactive allocation."""
        job = os.environ.get("SLURM_JOB_ID")
        if job is None or os.environ.get("SLURM_JOB_NAME") in {"bash", "interactive"}:
            return None
        if "SLURM_ARRAY_JOB_ID" in os.environ:  # the number of one job may be that of its array
            job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
        return cls(job, int(os.environ.get("SLURM_RESTART_COUNT", "0")), os.environ.get("SLURM_PROCID", "0") == "0")

    def requeue(self) -> bool:
        """Put the job back into the queue; False where Slurm is ending it already, or refuses.

        A job that was cancelled must not come back, and one that Slurm requeues by itself must not do so twice.
        """
        try:
            shown = _scontrol("show", "job", "--oneliner", self.name).stdout.split()
            return "JobState=RUNNING" in shown and _scontrol("requeue", self.name).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


def is_requeued() -> bool:
    """Whether this process belongs to a job that Slurm has started again."""
    job = SlurmJob.current()
    return job is not None and job.restarts > 0


def _scontrol(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["scontrol", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603
