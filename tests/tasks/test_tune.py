from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from softhash.config import root
from softhash.runs.folder import Run
from softhash.tasks import tune
from softhash.tuning.space import Choice, Interval

SPACE = {"optimizer.lr": Interval(0.001, 0.1, log=True)}
COUNTS = {"num_train": 64, "num_validation": 32, "num_query": 16, "num_database": 32}
SMALL = ["names.method=idhn", "names.data=digits", "top_k=20", *(f"data.{key}={n}" for key, n in COUNTS.items())]
Compose = Callable[..., tuple[DictConfig, list[str]]]


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Compose]:
    """The configuration of a search, and the overrides that its trainings have."""

    def config(*overrides: str) -> tuple[DictConfig, list[str]]:
        given = [*SMALL, f"cache_dir={tmp_path}", *overrides]
        return compose("tune", [*given, f"study={tmp_path / 'study'}"]), given

    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        yield config


def identity(composed: Compose, *overrides: str, **space: Any) -> dict[str, Any]:
    return tune.prepared(*composed(*overrides), space or SPACE)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["run=runs/x"], "a search goes on by its own command"),
        (["monitor=idhn/mAP"], "monitor=idhn/mAP: a search is by a measure of validation images"),
        (["monitor=validation/mRR"], "monitor=validation/mRR is not computed on the validation images"),
        (["epochs=0"], "epochs=0: nothing is trained"),
        (["trainer.devices=2"], "trainer.devices=2: a trial is one process, got 2"),
        (["data.num_validation=0"], "the validation split of data=DigitsDataModule is empty"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_trial(
    composed: Compose, tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        identity(composed, *overrides)

    assert list(tmp_path.iterdir()) == []


def test_a_method_without_gradients_may_be_searched(composed: Compose) -> None:
    assert identity(composed, "method=sdh", "names.method=sdh")["method"] == "sdh"


def test_without_optuna_the_extra_is_named(composed: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softhash.tasks.tune.find_spec", lambda _: None)

    with pytest.raises(ValueError, match=r"softhash tune needs optuna: pip install 'softhash\[tune\]'"):
        tune.run(composed()[0])


def test_the_same_search_is_the_same_wherever_its_logs_go(composed: Compose, tmp_path: Path) -> None:
    first = identity(composed)

    second = identity(composed, "logger=csv", "num_workers=1", "experiment_name=other", "baselines=null")

    tune.refuse_other_study(tmp_path, first, second)


@pytest.mark.parametrize(
    ("overrides", "space", "message"),
    [
        (["loss.beta=2.0"], SPACE, r"loss\.beta=5\.0, not 2\.0"),
        (["seed=1"], SPACE, "protocol=.*seed=0, not 1"),
        (["monitor=validation/WAP"], SPACE, "monitor=validation/mAP, not validation/WAP"),
        (["method=dhn", "names.method=dhn"], SPACE, "method=idhn, not dhn"),
        (
            [],
            {"optimizer.lr": Interval(0.001, 0.2, log=True)},
            r"space\.optimizer\.lr=0\.001 to 0\.1, logarithmic, not",
        ),
        ([], {**SPACE, "bits": Choice(("8", "16"))}, r"space\.bits=None, not 8, 16"),
    ],
)
def test_a_study_of_something_else_is_refused_by_what_differs(
    composed: Compose, tmp_path: Path, overrides: list[str], space: Any, message: str
) -> None:
    before = identity(composed)

    with pytest.raises(ValueError, match=rf"(?s)has a search with .*{message}.*study=FOLDER"):
        tune.refuse_other_study(tmp_path, before, identity(composed, *overrides, **space))


def test_trials_are_a_group_of_weights_and_biases_with_their_values_as_columns(
    composed: Compose, tmp_path: Path
) -> None:
    values = {"optimizer.lr": "1.5e-05", "similarity": "cosine", "loss.gamma": "0.5"}
    trial: Any = SimpleNamespace(values=values, trial=SimpleNamespace(number=7), run=Run(tmp_path))
    given = composed()[1]
    config = tune.composed([*given, *(f"{key}={text}" for key, text in values.items())], tmp_path)

    wandb = tune.named(config, Path("tune/mine"), trial).logger.wandb

    assert wandb.group == "tune/mine"
    assert wandb.name == "digits-idhn-32-0-trial-7"
    assert (wandb.project, wandb.job_type) == ("softhash", "idhn")
    expected = {"method": "idhn", "data": "digits", "bits": 32, "seed": 0, "trial": 7}
    assert dict(wandb.config) == expected | {"optimizer.lr": 1.5e-5, "similarity": "cosine", "loss.gamma": 0.5}
