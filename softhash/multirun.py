"""What Hydra does with the jobs of a multirun, shown while it works and reported at the end."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.live import Live

from softhash.report.progress import DONE, FAILED, RUNNING, Progress, shortened, told
from softhash.report.tables import summary_table
from softhash.runs.folder import Run

_SECONDS = 1.0  # between two looks at the run folders


class Sweep(Callback):
    """Show the jobs of a multirun while they run, and say which has failed and why as soon as it has."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Find out which jobs there will be and where, and show what becomes of them from now on."""
        if config.hydra.sweeper._target_.endswith("BasicSweeper"):  # others choose a job when they know the one before
            is_elsewhere = "submitit" in config.hydra.launcher._target_
            Watch.current = Watch(Progress(jobs(config)), is_elsewhere=is_elsewhere)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Note a failure in the run folder, and report it: Hydra reports only the first, when all jobs are over."""
        if config.hydra.mode == RunMode.MULTIRUN and job_return.status == JobStatus.FAILED:
            error = job_return._return_value  # noqa: SLF001 - return_value would raise it
            with suppress(OSError):  # such as a full disk
                Run(config.hydra.runtime.output_dir).write_error(str(error))
            job = " ".join(job_return.overrides or [])
            Console(stderr=True, soft_wrap=True).print(f"job {job} failed: {error}", markup=False)


def jobs(config: DictConfig) -> list[tuple[str, Path]]:
    """Name and run folder of every job that Hydra's own sweeper will start, in its order.

    Args:
        config: Of the multirun.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: PLC0415 - a plugin of Hydra

    loader: ConfigLoader = GlobalHydra.instance().config_loader()
    arguments = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    arguments += config.hydra.overrides.task
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
    (overrides,) = BasicSweeper.split_arguments(parsed, None)
    return list(zip(shortened(overrides), (_folder(loader, config, job) for job in overrides), strict=True))


def _folder(loader: ConfigLoader, config: DictConfig, overrides: list[str]) -> Path:
    before = HydraConfig.instance().cfg
    job = loader.load_sweep_config(config, overrides)
    HydraConfig.instance().set_config(job)  # which the folder refers to
    try:
        return Path(OmegaConf.select(job, "hydra.sweep.dir"), OmegaConf.select(job, "hydra.sweep.subdir"))
    finally:
        HydraConfig.instance().cfg = before


class Watch:
    """Looks at the run folders every second, and shows them: as a live table on a terminal, else a line per job.

    Args:
        progress: The jobs.
        is_elsewhere: The jobs print into logs of their own, so why one has failed is said here too.
    """

    current: "Watch | None" = None

    def __init__(self, progress: Progress, *, is_elsewhere: bool) -> None:
        self.progress = progress
        self._is_elsewhere = is_elsewhere
        self._console = Console(stderr=True, soft_wrap=True)
        self._live = Live(self.progress.table(), console=self._console, auto_refresh=False, transient=True)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if self._console.is_terminal:
            self._live.start()
        self._console.print(f"Sweep: {progress.line()}", markup=False)
        self._thread.start()

    def _watch(self) -> None:
        while not self._end.wait(_SECONDS):
            self._look()

    def _look(self) -> None:
        for job in self.progress.update():
            if job.state == DONE:
                self._console.print(f"{told(job)}  ({self.progress.line()})", markup=False)
            elif self._is_elsewhere:
                self._console.print(f"job {job.name} failed: {job.error}", markup=False)
        if self._live.is_started:
            self._live.update(self.progress.table(), refresh=True)

    def close(self) -> str:
        """Stop, and print the results of the sweep and the jobs that have failed.

        Returns:
            What is not done and what to do about it; empty where all is done.
        """
        self._end.set()
        self._thread.join()
        self._look()
        self._live.stop()
        results = [job.result for job in self.progress.jobs if job.result is not None]
        if results:
            Console().print(summary_table(results))
        for job in self.progress.of(FAILED):  # which have said why at once
            self._console.print(f"{job.state}  {job.name}: {job.run.folder}", markup=False)
        for job in self.progress.of(RUNNING):
            self._console.print(told(job), markup=False)
        if self.progress.counts[DONE] == len(self.progress.jobs):
            return ""
        elsewhere = " Another process works on what is running." if self.progress.of(RUNNING) else ""
        failed = self.progress.counts[FAILED]
        why = f" {failed} of the jobs failed; see above." if failed else ""
        return f"softhash: {self.progress.line()}.{why}{elsewhere} The same command goes on with what is not done."
