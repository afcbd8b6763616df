"""How far a sweep is, judged by the run folders of its jobs alone, so whatever process or machine works on them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from softhash.report.tables import duration
from softhash.runs.folder import Result, Run

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"
_SHOWN = 8  # jobs of one state in a table that should fit on a screen


@dataclass
class Job:
    """One job of a sweep.

    Attributes:
        name: The overrides that tell it from the other jobs.
        run: Its folder.
        state: Done, running, failed or waiting, when it was last looked at.
        said: When an error was written that an earlier start of the sweep has left there, in nanoseconds; else 0.
        result: What it scores, once it is done and can be read.
        error: Why it has failed.
    """

    name: str
    run: Run
    state: str = WAITING
    said: int = 0
    result: Result | None = None
    error: str = ""

    def look(self) -> None:
        """Read the folder; what is done stays so, unless an error is noted there."""
        if self.state != DONE and self.run.is_locked:
            self.state = RUNNING
        elif self.run.error_time not in {0, self.said}:
            self.state, self.error = FAILED, self.run.error()
        elif self.state != DONE and self.run.finished:
            self._finish()
        elif self.state != DONE:
            self.state = WAITING

    def _finish(self) -> None:
        try:
            self.state, self.result = DONE, self.run.result()
        except (OSError, ValueError) as error:  # of another version, or damaged
            self.state, self.error = FAILED, str(error)


class Progress:
    """The jobs of a sweep, and what has become of them since it was started.

    Args:
        jobs: Name and folder of each; a folder counts once.
        clock: Seconds that only grow.
    """

    def __init__(self, jobs: Sequence[tuple[str, Path]], clock: Callable[[], float] = time.monotonic) -> None:
        folders: dict[Path, str] = {}
        for name, folder in jobs:
            folders.setdefault(folder, name)
        self.jobs = [Job(name, Run(folder)) for folder, name in folders.items()]
        self._clock, self._start = clock, clock()
        for job in self.jobs:
            job.said = job.run.error_time
            job.look()
        self._before = self.counts[DONE]

    def update(self) -> list[Job]:
        """Look at all folders; give the jobs that are done or have failed since the last time."""
        before = [job.state for job in self.jobs]
        for job in self.jobs:
            job.look()
        ended = zip(self.jobs, before, strict=True)
        return [job for job, state in ended if job.state != state and job.state in {DONE, FAILED}]

    @property
    def counts(self) -> Counter[str]:
        """Number of jobs by state."""
        return Counter(job.state for job in self.jobs)

    @property
    def seconds_left(self) -> float | None:
        """At the rate at which jobs were done since the start; None as long as none was."""
        counts = self.counts
        done = counts[DONE] - self._before
        return (self._clock() - self._start) / done * (counts[RUNNING] + counts[WAITING]) if done else None

    def of(self, state: str) -> list[Job]:
        """The jobs of a state, in the order of the sweep."""
        return [job for job in self.jobs if job.state == state]

    def best(self) -> dict[str, tuple[Job, str, float]]:
        """For each data set the job with the highest value of its first metric, that metric and the value."""
        best: dict[str, tuple[Job, str, float]] = {}
        for job in self.of(DONE):
            if score := headline(job):
                data = job.result.record.data if job.result else ""
                if data not in best or score[1] > best[data][2]:
                    best[data] = (job, *score)
        return best

    def line(self) -> str:
        """Counts and time left, as one line."""
        counts, left = self.counts, self.seconds_left
        parts = [f"{counts[DONE]} of {len(self.jobs)} done"]
        parts += [f"{counts[state]} {state}" for state in (RUNNING, FAILED, WAITING) if counts[state]]
        parts += [f"about {duration(left)} left"] if left else []
        return ", ".join(parts)

    def table(self) -> Table:
        """Counts, the jobs that run or have failed, and the best ones, as long as a screen holds."""
        table = Table(title=Text(self.line(), style="bold"), title_justify="left", show_header=False, box=None)
        for _ in range(3):
            table.add_column(overflow="fold")
        for state, describe in ((RUNNING, _training), (FAILED, _reason)):
            jobs = self.of(state)
            for job in jobs[:_SHOWN]:
                table.add_row(state, Text(job.name), Text(describe(job)))
            if len(jobs) > _SHOWN:
                table.add_row(state, f"and {len(jobs) - _SHOWN} more")
        for data, (job, metric, value) in self.best().items():
            table.add_row("best", Text(job.name), Text(f"{metric} {value:.4f} on {data}"))
        return table


def headline(job: Job) -> tuple[str, float] | None:
    """The first metric of a job's own method and its value; None where there is no result."""
    if job.result is None or not job.result.metrics:
        return None
    scores = job.result.scores.get(job.result.record.methods[0].name, {})
    return next(((name, scores[name]["expected"]) for name in job.result.metrics if name in scores), None)


def told(job: Job) -> str:
    """What became of a job, as one line."""
    if job.state == DONE:
        score = headline(job)
        return "  ".join(["done ", job.name, *([f"{score[0]} {score[1]:.4f}"] if score else []), str(job.run.page)])
    return f"{job.state}  {job.name}: {_reason(job) if job.state == FAILED else job.run.folder}"


def _reason(job: Job) -> str:
    return job.error.strip().splitlines()[0] if job.error else ""


def _training(job: Job) -> str:
    """Epochs that are over, and the best validation mAP of them."""
    series = job.run.log().get("validation/mAP")
    if series is None:
        return ""
    return f"epoch {series.epochs[-1] + 1}, validation/mAP {max(series.values):.4f}"


def shortened(jobs: Sequence[Sequence[str]]) -> Iterator[str]:
    """The overrides of each job that not all of them have.

    Example:
        >>> list(shortened([["epochs=3", "seed=0"], ["epochs=3", "seed=1"]]))
        ['seed=0', 'seed=1']
    """
    common = set.intersection(*(set(job) for job in jobs)) if len(jobs) > 1 else set()
    for job in jobs:
        yield " ".join(override for override in job if override not in common)
