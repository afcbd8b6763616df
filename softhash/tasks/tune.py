"""``softhash tune``: search values of keys that are best on validation images, over trainings that see no query."""

import json
import shlex
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from softhash.config import decisive
from softhash.quoting import quote_override
from softhash.tasks.train import built, differences, has_epochs, learn, refuse_missing_gpus, refuse_unfit, wandb_ended
from softhash.text import first_few
from softhash.tuning.report import Found, write_report
from softhash.tuning.space import Space, of_training, space_of
from softhash.tuning.trials import COMPLETE, FAILED, PRUNED, RUNNING, Tried, best_of

if TYPE_CHECKING:
    from softhash.tuning.study import Claim, Search

_OF_ITS_VALUES = (ValueError, ArithmeticError, RuntimeError, HydraException)  # errors that end a trial, not the search


def run(cfg: DictConfig) -> None:
    """Run trials until there are as many as asked for, in all processes together; then say which is best.

    Raises:
        ValueError: optuna is not installed, or this cannot be searched; says why before the first trial. Or no trial is
            complete.
    """
    if find_spec("optuna") is None:
        msg = "softhash tune needs optuna: pip install 'softhash[tune]'"
        raise ValueError(msg)
    from softhash.tuning.study import Search  # noqa: PLC0415 - needs an extra

    refuse_missing_gpus(cfg.trainer.accelerator, cfg.trainer.devices)
    overrides, folder = of_training(HydraConfig.get().overrides.task), Path(cfg.study)
    space = space_of(cfg.space, overrides)
    identity = prepared(cfg, overrides, space)
    groups = HydraConfig.get().runtime.choices
    first = {key: groups.get(key, OmegaConf.select(cfg, key)) for key in space}
    search = Search(folder, space, cfg.trials, instantiate(cfg.sampler), instantiate(cfg.pruner), cfg.seed, first)
    refuse_other_study(folder, search.open(identity), identity)
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"{len(search.tried())} of {cfg.trials} trials begun in {folder}", markup=False)
    for key, values in space.items():
        console.print(f"  {key}: {values}", markup=False)
    while True:
        with search.claimed() as claim:
            if claim is None:
                break
            attempt(search, claim, overrides)
        console.print(told(search.tried(), claim.trial.number, cfg.monitor), markup=False)
    conclude(search, cfg, overrides, identity)


def prepared(cfg: DictConfig, overrides: list[str], space: Space) -> dict[str, Any]:
    """Build the training once without values of a trial, refuse what cannot work, and compute what all trials share.

    Returns:
        What tells this search from others.

    Raises:
        ValueError: Says what cannot be searched.
    """
    if cfg.run:
        msg = f"run={cfg.run} goes on with a training; a search goes on by its own command, in the folder of study="
        raise ValueError(msg)
    if not cfg.monitor.startswith("validation/"):
        msg = f"monitor={cfg.monitor}: a search is by a measure of validation images, such as validation/mAP"
        raise ValueError(msg)
    config = composed(overrides, Path(cfg.study))
    config.logger = {}
    trainer, hasher, data = built(config, list(instantiate(config.callbacks).values()), show=False)
    if trainer.world_size > 1:
        msg = (
            f"trainer.devices={cfg.trainer.devices}: a trial is one process, got {trainer.world_size}.\n"
            "  Start the command once for each device, such as CUDA_VISIBLE_DEVICES=1 softhash tune ...: they share it."
        )
        raise ValueError(msg)
    if "estimator" not in config and not has_epochs(config, hasher) and "epochs" not in space:
        msg = f"epochs={cfg.epochs}: nothing is trained, so nothing can be searched"
        raise ValueError(msg)
    refuse_unfit(trainer, hasher, data)
    common = {key: value for key, value in decisive(config).items() if key != "baselines"}
    searched = {key: str(values) for key, values in space.items()}
    chosen = {"method": cfg.names.method, "data": cfg.names.data, "protocol": data.checksum()}
    identity: dict[str, Any] = json.loads(json.dumps({**chosen, "space": searched, **common}, default=str))
    return identity


def refuse_other_study(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Stop before trials are added to a study of something else.

    Raises:
        ValueError: Says what differs.
    """
    differs = list(differences(dict(before), dict(now)))
    if differs:
        msg = (
            f"{folder} has a search with {first_few(differs)}.\n"
            "  Go on with the command that began it, or take a folder of its own with study=FOLDER."
        )
        raise ValueError(msg)


def composed(overrides: list[str], folder: Path) -> DictConfig:
    """The configuration of a training in a folder."""
    return compose("train", [*overrides, quote_override("run_dir", folder)])


def attempt(search: "Search", claim: "Claim", overrides: list[str]) -> None:
    """Train a trial, and note what has become of it; one that fails by its values leaves the others alone.

    Args:
        search: Whose trial it is.
        claim: The trial, which is this process's own.
        overrides: Those that all trials have.
    """
    claim.run.forget_error()
    try:
        values = [f"{key}={text}" for key, text in claim.values.items()]
        config = named(composed([*overrides, *values], claim.run.folder), search.folder, claim)
        is_worthwhile = trained(config, claim)
    except _OF_ITS_VALUES as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        if isinstance(cause, OSError):  # such as data that are gone, whatever the values are
            raise cause from error
        search.end(claim, FAILED, str(cause) or type(cause).__name__)
    else:
        search.end(claim, COMPLETE if is_worthwhile else PRUNED)


def named(config: DictConfig, study: Path, claim: "Claim") -> DictConfig:
    """The configuration, with the trials of a study as a group of Weights & Biases, and their values as columns."""
    if "wandb" in config.logger:
        wandb = config.logger.wandb
        found = {key: OmegaConf.select(config, key) for key in claim.values}
        columns = {
            key: text if isinstance(found[key], DictConfig) else found[key] for key, text in claim.values.items()
        }
        wandb.group, wandb.name = str(study), f"{wandb.name}-trial-{claim.trial.number}"
        wandb.config = {**wandb.config, **columns, "trial": claim.trial.number}
    return config


def trained(config: DictConfig, claim: "Claim") -> bool:
    """Train in the folder of a trial, from its last checkpoint where there is one; False where it was pruned.

    Raises:
        ValueError: There was no validation.
    """
    from softhash.tuning.pruning import ReportToTrial, TrialPruned  # noqa: PLC0415 - needs an extra

    folder = claim.run
    config.run = str(folder.folder) if folder.last.is_file() else None
    callbacks = list(instantiate(config.callbacks).values())
    for callback in callbacks:
        if hasattr(callback, "listen"):
            callback.listen()
    trainer, hasher, data = built(config, [*callbacks, ReportToTrial(claim, config.monitor)], show=False)
    folder.write_config(OmegaConf.to_yaml(config, resolve=True))
    with wandb_ended():
        try:
            learn(config, folder, trainer, hasher, data)
        except TrialPruned:
            return False
    if not claim.reported():
        msg = f"{config.monitor} was never computed: the training had no validation"
        raise ValueError(msg)
    return True


def conclude(search: "Search", cfg: DictConfig, overrides: list[str], identity: Mapping[str, Any]) -> None:
    """Write the page and what belongs to it, and say which trial is best and how to train with its values.

    Raises:
        ValueError: All trials are over, and none is complete.
    """
    trials = search.tried()
    best = best_of(trials)
    values = [f"{key}={text}" for key, text in best.values.items()] if best else []
    command = shlex.join(["softhash", "train", *overrides, *values]) if best else ""
    facts = {"seed": str(cfg.seed), "protocol": identity["protocol"][:12]}
    heading = f"{cfg.names.method} on {cfg.names.data}, {cfg.bits} bits"
    found = Found(heading, cfg.monitor, command, search.space, trials, search.importance(), facts)
    page = write_report(found, search.folder)
    console = Console(soft_wrap=True)
    if best:
        console.print(f"Best of {found.counted()}: trial {best.number}, {cfg.monitor} {best.value:.4f}", markup=False)
        for key, text in best.values.items():
            console.print(f"  {key}={text}", markup=False)
        console.print(f"Train with these values:\n  {command}", markup=False, highlight=False)
    console.print(f"Study: {search.folder}\nOpen {page}", markup=False)
    if running := [tried.number for tried in trials if tried.state == RUNNING]:
        console.print(
            f"{len(running)} trials are still in work elsewhere; the same command tells the end.", markup=False
        )
    elif best is None:
        why = next((tried.error for tried in trials if tried.state == FAILED), "")
        msg = f"none of {found.counted()} trials is complete. The first failed with: {why}"
        raise ValueError(msg)


def told(trials: list[Tried], number: int, monitor: str) -> str:
    """What has become of a trial, as one line."""
    tried, best = trials[number], best_of(trials)
    worth = "" if tried.value is None else f", {monitor} {tried.value:.4f}"
    why = f": {tried.error.partition(chr(10))[0]}" if tried.error else ""
    values = " ".join(f"{key}={text}" for key, text in tried.values.items())
    so_far = f"  (best so far {best.value:.4f}, trial {best.number})" if best else ""
    return f"trial {number} {tried.state}{worth}{why}  {values}{so_far}"
