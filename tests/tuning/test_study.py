import math
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from optuna.pruners import MedianPruner
from optuna.samplers import RandomSampler, TPESampler

from softhash.tuning.space import Choice, Interval
from softhash.tuning.study import Search
from softhash.tuning.trials import COMPLETE, FAILED, PRUNED, RUNNING, Tried, best_of

SPACE = {"x": Interval(0.0, 1.0), "y": Choice(("1", "2"))}
Open = Callable[..., Search]


@pytest.fixture(autouse=True)
def _not_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file be written without waiting for the disk, which takes most of the time."""
    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connected)


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Open the study of a folder, as each process does."""

    def search(trials: int = 3, *, sampler: Any = RandomSampler, space: Any = SPACE, identity: Any = None) -> Search:
        made = Search(tmp_path / "a study?", space, trials, sampler, MedianPruner(n_startup_trials=1), seed=0)
        made.open(identity or {"method": "mine"})
        return made

    return search


def finish(search: Search, value: float) -> int | None:
    """Do a trial of one epoch; give its number."""
    with search.claimed() as claim:
        if claim is None:
            return None
        claim.report(value, 0)
        search.end(claim, COMPLETE)
        return int(claim.trial.number)


def test_processes_together_do_as_many_trials_as_asked_for(opened: Open) -> None:
    first, second = opened(3), opened(3)

    with first.claimed() as one, second.claimed() as two:
        assert one is not None
        assert two is not None
        assert {one.trial.number, two.trial.number} == {0, 1}
        assert finish(second, 0.5) == 2
        with second.claimed() as none:
            assert none is None


def test_a_trial_that_was_left_is_taken_up_with_its_values_and_measures(opened: Open) -> None:
    with opened().claimed() as left:
        assert left is not None
        left.report(0.4, 0)

    with opened().claimed() as taken:
        assert taken is not None
        taken.report(0.9, 0)  # the epoch is done again

        assert (taken.trial.number, taken.values) == (left.trial.number, left.values)
        assert taken.reported() == {0: 0.4}
    assert len(opened().tried()) == 1


def test_a_trial_is_taken_up_by_one_alone(opened: Open) -> None:
    with opened().claimed():
        pass

    with opened().claimed() as one, opened().claimed() as two:
        assert one is not None
        assert two is not None
        assert one.trial.number != two.trial.number


@pytest.mark.parametrize("sampler", [RandomSampler, partial(TPESampler, n_startup_trials=2)], ids=["random", "tpe"])
def test_a_study_that_was_gone_on_with_chooses_as_one_that_was_not(opened: Open, tmp_path: Path, sampler: Any) -> None:
    alone = Search(tmp_path / "alone", SPACE, 4, sampler, MedianPruner(), seed=0)
    alone.open({})
    for _ in range(4):
        finish(alone, 0.1)
    for process in (opened(4, sampler=sampler), opened(4, sampler=sampler)):
        for _ in range(2):
            finish(process, 0.1)

    assert [tried.values for tried in process.tried()] == [tried.values for tried in alone.tried()]
    assert len({tuple(tried.values.items()) for tried in alone.tried()}) == 4


def test_the_first_trial_has_the_values_of_the_configuration(tmp_path: Path) -> None:
    first = {"x": 0.25, "y": "2"}
    search = Search(tmp_path, SPACE, 2, RandomSampler, MedianPruner(), seed=0, first=first)
    search.open({})
    assert search.tried() == []
    search.open({})  # as another process does
    while finish(search, 0.5) is not None:
        pass

    one, two = search.tried()
    assert one.values == {"x": "0.25", "y": "2"}
    assert two.values["x"] != "0.25"


def test_what_is_not_in_the_space_is_drawn_for_the_first_trial_too(tmp_path: Path) -> None:
    search = Search(tmp_path, SPACE, 1, RandomSampler, MedianPruner(), seed=0, first={"x": 7.0, "y": "2"})
    search.open({})
    finish(search, 0.5)

    (tried,) = search.tried()
    assert tried.values["y"] == "2"
    assert 0.0 <= float(tried.values["x"]) <= 1.0


def test_a_trial_is_worth_its_best_epoch(opened: Open) -> None:
    search = opened()
    with search.claimed() as claim:
        assert claim is not None
        for epoch, value in enumerate([0.2, 0.7, 0.5]):
            claim.report(value, epoch)
        search.end(claim, COMPLETE)

    (tried,) = search.tried()
    assert (tried.state, tried.value, tried.series) == (COMPLETE, 0.7, {0: 0.2, 1: 0.7, 2: 0.5})
    assert search.study.best_value == 0.7


def test_a_failed_trial_says_why_and_counts(opened: Open) -> None:
    search = opened(1)
    with search.claimed() as claim:
        assert claim is not None
        search.end(claim, FAILED, "the loss is not finite")

    assert [(tried.state, tried.error) for tried in search.tried()] == [(FAILED, "the loss is not finite")]
    assert claim.run.error() == "the loss is not finite"
    assert finish(search, 1.0) is None


def test_a_trial_below_the_median_of_its_epoch_is_pruned(opened: Open) -> None:
    search = opened()
    finish(search, 0.5)
    with search.claimed() as worse:
        assert worse is not None
        worse.report(0.4, 0)
        assert worse.should_prune()
        search.end(worse, PRUNED)
    with search.claimed() as better:
        assert better is not None
        better.report(0.6, 0)
        assert not better.should_prune()


def test_checkpoints_of_trials_that_are_over_are_deleted(opened: Open) -> None:
    search = opened(2)
    numbers = []
    for _ in range(2):
        with search.claimed() as claim:
            assert claim is not None
            claim.run.last.parent.mkdir(parents=True)
            claim.run.last.touch()
            claim.report(0.5, 0)
            if not numbers:
                search.end(claim, COMPLETE)
            numbers.append(claim.trial.number)

    assert [search.run(number).last.exists() for number in numbers] == [False, True]


def test_a_study_remembers_what_it_was_begun_with(opened: Open) -> None:
    finish(opened(identity={"method": "mine", "bits": 8}), 0.5)
    other = opened(space={"z": Choice(("a", "b"))})

    assert other.open({"method": "other"}) == {"method": "mine", "bits": 8}


def test_a_file_that_is_no_study_is_named(opened: Open) -> None:
    path = opened().folder / "study.db"
    path.write_bytes(b"something else, that is long enough to be read as a page" * 100)

    with pytest.raises(ValueError, match=r"study\.db cannot be used as a study"):
        opened()


def test_the_key_that_decides_the_values_is_the_important_one(opened: Open) -> None:
    search = opened(12)
    for _ in range(12):
        with search.claimed() as claim:
            assert claim is not None
            claim.report(math.sqrt(float(claim.values["x"])), 0)
            search.end(claim, COMPLETE)

    shares = search.importance()

    assert shares["x"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_importance_is_not_told_of_values_that_are_all_alike(opened: Open) -> None:
    search = opened(3)
    assert search.importance() == {}
    while finish(search, 0.5) is not None:
        pass

    assert search.importance() == {}


def test_the_best_is_the_first_complete_trial_of_the_highest_value() -> None:
    def trial(number: int, state: str, value: float) -> Tried:
        return Tried(number, state, {}, {0: value}, 1.0, "")

    trials = [trial(0, COMPLETE, 0.3), trial(1, PRUNED, 0.9), trial(2, COMPLETE, 0.5), trial(3, COMPLETE, 0.5)]

    assert best_of(trials) == trials[2]
    assert best_of([trial(0, RUNNING, 0.5)]) is None
