"""``softhash <verb> [overrides]``: every verb is one root config and one task of the same name."""

import difflib
import os
import shlex
import signal
import sys
import threading
import time
import traceback
import warnings
from functools import partial, wraps
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from softhash.config import root
from softhash.overrides import check_overrides, check_space, readable, searched
from softhash.quoting import quote_override
from softhash.resume import resumed

_TRANSLATED = "--config-name="
_WORKER = "hydra.job.name=train_ddp_process_"  # as Lightning starts all processes of a training but the first
_PATIENCE = 2.0  # seconds until a signal that was lost is raised again
_FIRST = "SOFTHASH_FIRST_PROCESS"  # of a training, for its workers
_NOT_FOR_USERS = (  # warnings of Lightning that a user can do nothing about
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"Found \d+ module\(s\) in eval mode",  # a frozen backbone is so on purpose
    r"The number of training batches \(\d+\) is smaller than the logging interval",  # epochs are logged as well
    r"The `srun` command is available on your system but is not used",  # on purpose
)
_MENDABLE = (ValueError, OSError, FloatingPointError, HydraException, OmegaConfBaseException)
_HELP = {"--help", "-h", "--hydra-help"}
_SHOWS = {*_HELP, "--info", "-i", "--cfg", "-c"}  # instead of running
_WITH_VALUE = {"--info", "-i", "--cfg", "-c", "--package", "-p", "--config-dir", "-cd"}


def verbs() -> dict[str, str]:
    """Names of the root configs in ``conf/`` (``data verify`` of ``data_verify.yaml``), each with its first comment."""
    return {
        path.stem.replace("_", " "): path.read_text().partition("\n")[0].lstrip("# ")
        for path in sorted((root() / "conf").glob("*.yaml"))
    }


def usage() -> str:
    """What ``softhash`` alone prints."""
    lines = "\n".join(f"  {name:<13} {text}" for name, text in verbs().items())
    return (
        "usage: softhash <verb> [group=option] [key=value] [-m]\n\n"
        f"{lines}\n\n"
        "softhash <verb> --help lists groups, options and keys; softhash --version the version."
    )


def to_hydra(arguments: list[str]) -> list[str]:
    """Translate ``train method=dpsh`` into Hydra's own arguments.

    Translated arguments pass through: a DDP worker is started with the argv of its parent.

    Raises:
        ValueError: The verb, an option or a key does not exist.
    """
    if arguments and arguments[0].startswith(_TRANSLATED):
        return arguments
    known = verbs()
    words = 2 if any(verb.startswith(f"{arguments[0]} ") for verb in known) else 1
    verb, rest = " ".join(arguments[:words]), arguments[words:]
    if verb not in known:
        close = difflib.get_close_matches(verb, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        msg = f"no verb {verb!r}.{hint}\n\n{usage()}"
        raise ValueError(msg)
    name = verb.replace(" ", "_")
    flags, overrides = split(rest)
    multirun = not {"-m", "--multirun"}.isdisjoint(flags) or "hydra.mode=MULTIRUN" in overrides
    overrides = [readable(override, multirun=multirun or verb == "tune") for override in overrides]
    if verb == "tune":
        if multirun:
            msg = "tune starts its trials itself; leave -m away, and start the command once for each process"
            raise ValueError(msg)
        overrides = searched(overrides)
    if verb == "train":
        if multirun and any(override.startswith("run=") for override in overrides):
            msg = "run= goes on with one run; leave -m and its lists of values away"
            raise ValueError(msg)
        overrides = resumed(overrides)
        if multirun:
            overrides.append("hydra.output_subdir=null")  # a job writes into its folder when it is alone there
    if _SHOWS.isdisjoint(flags):
        check_overrides(name, overrides, multirun=multirun)
        if verb == "tune":
            check_space(overrides)
    return [f"{_TRANSLATED}{name}", *flags, *overrides]


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Flags, each with its value, and overrides: argparse takes overrides in one piece only."""
    flags: list[str] = []
    overrides: list[str] = []
    takes = False
    for argument in arguments:
        is_flag = argument.startswith("-") or (takes and "=" not in argument)
        (flags if is_flag else overrides).append(argument)
        takes = argument in _WITH_VALUE
    return flags, overrides


def main() -> None:
    """Run the verb's task on the config that Hydra composes.

    What the user can mend is one clear message; anything else is a traceback.
    """
    if sys.argv[1:] in ([], ["--help"], ["-h"], ["help"], ["--version"]):
        print(version("softhash") if sys.argv[1:] == ["--version"] else usage())  # noqa: T201
        return
    stopped, is_worker = Stopped(), any(argument.startswith(_WORKER) for argument in sys.argv)
    stopped.listen(is_worker=is_worker)
    try:
        sys.argv[1:] = to_hydra(sys.argv[1:])
    except (ValueError, OSError) as problem:
        sys.exit(f"softhash: {problem}")
    sys.path.append(str(Path.cwd()))  # modules of the project that softhash is run in, which shadow none
    asks_for_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands the error over instead of ending the process
    name = sys.argv[1].removeprefix(_TRANSLATED)
    job = _job(name, asks_for_traceback) if _HELP.isdisjoint(sys.argv) else _no_job
    try:
        hydra.main(version_base="1.3", config_path=str(root() / "conf"))(job)()
    except SystemExit:
        stopped.leave()
        if stopped.by is not None:
            stopped.say_how_to_go_on(name, _close_sweep())
            sys.exit(128 + stopped.by)  # as a shell gives it, whatever has caught the first one
        raise
    except Exception as error:
        _end_with_error(error, _close_sweep(), asks_for_traceback)
    if unfinished := _close_sweep():
        sys.exit(unfinished)
    if is_worker:
        sys.stdout.flush()
        os._exit(0)  # an abort in the interpreter's own way out would end the first process, which still measures


def _end_with_error(error: Exception, unfinished: str, asks_for_traceback: bool) -> NoReturn:
    """Say what was wrong, unless a job of a multirun has said so at once, what is not done; or raise a bug."""
    message = message_of(error)
    if isinstance(error, JobError):
        sys.exit(unfinished or message)
    if message is None or asks_for_traceback:
        print(unfinished, file=sys.stderr)  # noqa: T201
        raise error
    sys.exit(f"{message}\n{unfinished}".rstrip())


def _close_sweep() -> str:
    """Print the results of a multirun, if this is one; give what is not done."""
    multirun = sys.modules.get("softhash.multirun")  # which Hydra imports for a multirun alone
    watch = multirun and multirun.Watch.current
    return watch.close() if watch else ""


class JobError(Exception):
    """Why a job of a multirun has failed: a text, as other errors may not find their way out of another process."""


class Stopped:
    """Handler of SIGTERM and Ctrl-C: ends the process, with the exit code of a shell and what was begun cleaned up.

    Libraries in C lose an exception now and then; so it is raised again until the process is on its way out.
    """

    def __init__(self) -> None:
        self.by: signal.Signals | None = None
        self.folder: str | None = None
        self._timer: threading.Timer | None = None
        self._by_timer = False

    def listen(self, *, is_worker: bool) -> None:
        """Handle the signals from now on.

        Args:
            is_worker: The process was started by the first one of a training, which ends its workers and says why.
        """
        if is_worker:
            first = int(os.environ.get(_FIRST, os.getppid()))
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of them
            signal.signal(signal.SIGTERM, partial(_end_training, first))
            threading.Thread(target=_end_with, args=(first,), daemon=True).start()
        else:
            os.environ[_FIRST] = str(os.getpid())
            signal.signal(signal.SIGINT, self)
            signal.signal(signal.SIGTERM, self)

    def __call__(self, number: int, _: object) -> None:
        """Remember where to go on, while it is known, and stop."""
        by_timer, self._by_timer = self._by_timer, False
        if by_timer and _is_unwinding():
            return
        self.leave()
        self.by = signal.Signals(number)
        self._timer = threading.Timer(_PATIENCE, self._raise_again)
        self._timer.daemon = True
        self._timer.start()
        config: Any = HydraConfig.instance().cfg
        if config is not None and not OmegaConf.is_missing(config.hydra.runtime, "output_dir"):  # in a job
            self.folder = config.hydra.runtime.output_dir
        sys.exit(128 + number)

    def leave(self) -> None:
        """Raise nothing again."""
        if self._timer is not None:
            self._timer.cancel()

    def _raise_again(self) -> None:
        main_thread = threading.main_thread().ident
        if self.by is not None and main_thread is not None:
            self._by_timer = True
            signal.pthread_kill(main_thread, self.by)  # which also wakes it where it sleeps

    def say_how_to_go_on(self, verb: str, unfinished: str = "") -> None:
        """Print the command that resumes the run, from the first of several processes, and what a sweep has left."""
        if self.by is not None and os.environ.get("LOCAL_RANK", "0") == "0":
            resume = shlex.join(["softhash", "train", quote_override("run", self.folder or "")])
            go_on = f" Go on with: {resume}" if verb == "train" and self.folder else ""
            go_on = " The same command goes on." if verb in {"encode", "tune"} else go_on
            name = "Ctrl-C" if self.by == signal.SIGINT else self.by.name
            print(f"softhash: stopped by {name}.{go_on}", file=sys.stderr)  # noqa: T201
            if unfinished:
                print(unfinished, file=sys.stderr)  # noqa: T201


def _is_unwinding() -> bool:
    """Whether what is done now belongs to the way out of a process: a ``finally``, or what an exception has called."""
    error = sys.exc_info()[1]
    while error is not None and not isinstance(error, SystemExit):
        error = error.__context__
    return error is not None


def _end_training(first: int, number: int, _: object) -> None:
    """Let the first process of a training end all; leave without a word, also in the middle of a meeting of all."""
    if os.getppid() == first:  # else it is gone, and its number may be that of another process
        os.kill(first, number)
    os._exit(128 + number)


def _end_with(first: int) -> None:
    """End this process where the first one of its training was killed, for which it might wait half an hour."""
    while os.getppid() == first:
        time.sleep(1)
    os._exit(1)


def _follow_first() -> None:
    """Let a process in which a launcher runs jobs end when the first one does, which alone listens to Ctrl-C."""
    first = int(os.environ[_FIRST])
    if os.getppid() == first and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_end_with, args=(first,), daemon=True).start()


def _no_job(config: DictConfig) -> None:
    """Stand in for the task where only help is asked for, which should not wait for torch."""


def _job(name: str, asks_for_traceback: bool) -> TaskFunction:
    """The task of a verb, which ends the process itself where a single run fails.

    Hydra would print a line of its own before it hands the error over. In a multirun the other jobs go on.
    """
    run: TaskFunction = import_module(f"softhash.tasks.{name}").run

    @wraps(run)
    def job(config: DictConfig) -> None:
        for text in _NOT_FOR_USERS:
            warnings.filterwarnings("ignore", text)
        is_multirun = HydraConfig.get().mode == RunMode.MULTIRUN
        if is_multirun:
            _follow_first()
        try:
            run(config)
        except Exception as error:
            message = message_of(error)
            if os.environ.get("SLURM_PROCID") is not None and int(os.environ.get("SLURM_NTASKS", "1")) > 1:
                sys.exit(message or traceback.format_exc())  # else the other tasks of the job would wait for this one
            if is_multirun:
                text = traceback.format_exc() if message is None or asks_for_traceback else message
                raise JobError(text.removeprefix("softhash: ")) from error
            if message is not None and not asks_for_traceback:
                sys.exit(message)
            raise

    return job


def message_of(error: Exception) -> str | None:
    """What to print of an error that the user can mend; None of any other, which is a bug."""
    if isinstance(error, JobError):
        return f"softhash: {error}"
    wandb = sys.modules.get("wandb")  # which only its logger imports
    if wandb is not None and isinstance(error, wandb.Error):
        return (
            f"softhash: wandb: {error}\n  logger.wandb.offline=true keeps the run in its folder, from which"
            " 'wandb sync' sends it later; 'wandb login' stores a key."
        )
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, _MENDABLE):
        error = error.__cause__  # of a constructor, without the frame that Hydra puts around it
    if isinstance(error, _MENDABLE):
        return f"softhash: {error}\n(HYDRA_FULL_ERROR=1 shows where.)"
    return None
