"""The trials of a search, in one file that several processes share and that outlives all of them. Needs optuna."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.pool import NullPool

from softhash.runs.folder import Run
from softhash.tuning.space import Space
from softhash.tuning.trials import COMPLETE, FAILED, PRUNED, RUNNING, Tried

_STATES = {
    COMPLETE: TrialState.COMPLETE,
    PRUNED: TrialState.PRUNED,
    FAILED: TrialState.FAIL,
    RUNNING: TrialState.RUNNING,
}
_FILE, _LOCK = "study.db", ".lock"
_IDENTITY, _ERROR = "identity", "error"  # names of what is stored with a study and with a trial
_PATIENCE = 60.0  # seconds in which another process has written what it writes


@dataclass
class Claim:
    """A trial that this process works on, and nobody else.

    Attributes:
        trial: Of optuna.
        values: Of the searched keys, as they are written in an override.
        run: Its folder.
    """

    trial: Trial
    values: dict[str, str]
    run: Run

    def report(self, value: float, epoch: int) -> None:
        """Store the validation measure of an epoch; that of an epoch which is done again is known."""
        if epoch not in self.reported():
            self.trial.report(value, epoch)

    def should_prune(self) -> bool:
        """Whether the measures so far are not worth going on."""
        return bool(self.trial.should_prune())

    def reported(self) -> dict[int, float]:
        """Measures by epoch."""
        frozen: FrozenTrial = self.trial.study.get_trials(deepcopy=False)[self.trial.number]
        return dict(frozen.intermediate_values)


@dataclass
class Search:
    """A study in a folder.

    A trial is in work as long as a process holds the lock of its folder. One whose process was killed is taken up by
    the next that looks for work, under its number and from its last checkpoint; so no trial is lost or done twice.

    Args:
        folder: Need not exist.
        space: What is searched.
        trials: How many there are in all.
        sampler: Makes a sampler of optuna, given its ``seed``.
        pruner: A pruner of optuna.
        seed: With the number of a trial, what it draws at random.
        first: By key the values of the first trial, those of the configuration; a key without one, or with one that is
            not in the space, is drawn as in any trial.
    """

    folder: Path
    space: Space
    trials: int
    sampler: Callable[..., Any]
    pruner: Any
    seed: int
    first: Mapping[str, object] = field(default_factory=dict)
    study: optuna.Study = field(init=False)

    def open(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """Open the study, or begin it.

        Args:
            identity: What trials have in common, of values that JSON knows.

        Returns:
            The identity that it was begun with.

        Raises:
            OSError: The folder cannot be written.
            ValueError: The file is not that of a study.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = self.folder / _FILE
        try:
            with self._lock():
                # By a function, as in an address a name with a question mark would end there.
                connect = partial(sqlite3.connect, path.resolve(), timeout=_PATIENCE)
                storage = optuna.storages.RDBStorage("sqlite://", {"creator": connect, "poolclass": NullPool})
                self.study = optuna.create_study(
                    storage=storage,
                    study_name="softhash",
                    direction="maximize",
                    load_if_exists=True,
                    pruner=self.pruner,
                )
                if _IDENTITY not in self.study.user_attrs:
                    stored = {key: self.space[key].stored(value) for key, value in self.first.items()}
                    known = {key: value for key, value in stored.items() if value is not None}
                    self.study.enqueue_trial(known, skip_if_exists=True)  # a process may have been killed after it
                    self.study.set_user_attr(_IDENTITY, dict(identity))
                for frozen in self.study.get_trials(deepcopy=False):
                    if frozen.state.is_finished():  # and was killed before they were deleted
                        self._forget_checkpoints(frozen.number)
        except Exception as error:
            if type(error).__module__.startswith(("sqlalchemy", "sqlite3", "optuna", "alembic")):
                msg = f"{path} cannot be used as a study: {str(error).splitlines()[0]}"
                raise ValueError(msg) from error
            raise
        return dict(self.study.user_attrs[_IDENTITY])

    @contextmanager
    def claimed(self) -> Iterator[Claim | None]:
        """A trial to work on, which stays this process's own until the block ends; None where there is nothing to do.

        One that the block does not end is taken up again.
        """
        with ExitStack() as held:
            with self._lock():
                claim = self._abandoned(held) or self._new(held)
            yield claim

    def end(self, claim: Claim, state: str, error: str = "") -> None:
        """Note what has become of a trial; a complete one is worth its best epoch.

        Args:
            claim: The trial.
            state: Complete, pruned or failed.
            error: Why it has failed.
        """
        if error:
            claim.trial.set_user_attr(_ERROR, error)
            claim.run.write_error(error)
        value = max(claim.reported().values()) if state == COMPLETE else None
        self.study.tell(claim.trial, value, state=_STATES[state])
        self._forget_checkpoints(claim.trial.number)

    def run(self, number: int) -> Run:
        """The folder of a trial."""
        return Run(self.folder / "trials" / f"{number:04}")

    def tried(self) -> list[Tried]:
        """All trials so far, in their order."""
        names = {stored: name for name, stored in _STATES.items()}
        return [
            Tried(
                frozen.number,
                names[frozen.state],
                {key: self.space[key].text(value) for key, value in frozen.params.items()},
                dict(sorted(frozen.intermediate_values.items())),
                frozen.duration.total_seconds() if frozen.duration else None,
                frozen.user_attrs.get(_ERROR, ""),
            )
            for frozen in self._begun()
        ]

    def importance(self) -> dict[str, float]:
        """Share of each key in the variance of the complete trials' values, by fANOVA; highest first.

        Empty where that cannot be told: of fewer than two different values, or where all trials are worth the same.
        """
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
        try:
            shares = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        except (ValueError, RuntimeError):
            return {}
        return {key: float(share) for key, share in shares.items()}

    def _begun(self) -> list[FrozenTrial]:
        """All trials but a first one that waits for a process."""
        return self.study.get_trials(deepcopy=False, states=tuple(_STATES.values()))

    def _lock(self) -> FileLock:
        return FileLock(self.folder / _LOCK)

    def _abandoned(self, held: ExitStack) -> Claim | None:
        """The first trial whose process is gone."""
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not self.run(frozen.number).is_locked:
                return self._claim(Trial(self.study, frozen._trial_id), held)  # noqa: SLF001 - ask() gives new ones only
        return None

    def _new(self, held: ExitStack) -> Claim | None:
        if len(self._begun()) >= self.trials:
            return None
        return self._claim(self.study.ask(), held)

    def _claim(self, trial: Trial, held: ExitStack) -> Claim:
        seed = int(np.random.SeedSequence([self.seed, trial.number]).generate_state(1)[0])
        self.study.sampler = self.sampler(seed=seed)
        run = self.run(trial.number)
        values = {key: choice.suggest(trial, key) for key, choice in self.space.items()}
        held.enter_context(run.locked())
        return Claim(trial, values, run)

    def _forget_checkpoints(self, number: int) -> None:
        shutil.rmtree(self.run(number).folder / "checkpoints", ignore_errors=True)
