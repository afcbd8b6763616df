"""``softhash train``: train a method, encode queries and database, measure them, and show the result."""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.errors import MissingConfigException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.accelerators import CUDAAccelerator, MPSAccelerator
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.model_helpers import is_overridden
from rich.console import Console
from torch import distributed

from softhash.config import root
from softhash.data.base import RetrievalDataModule
from softhash.data.features import FeatureDataModule
from softhash.hashers.base import Hasher
from softhash.hashers.baselines import baseline_codes
from softhash.hashers.shallow import ShallowEncoder
from softhash.report.page import collect, pictures, write_page
from softhash.report.tables import result_table
from softhash.runs.folder import BusyError, Method, Record, Result, Run
from softhash.runs.measure import measure, refuse
from softhash.runs.record import RANDOM, environment, write_beginning
from softhash.slurm import is_requeued

_MEASURED = ("epochs", "metric", "top_k", "baselines")  # what run= may set anew and a result depends on


def run(cfg: DictConfig) -> None:
    """Train and evaluate; everything that comes out lies in the run folder.

    A job of a multirun that has finished, or that another process works on, is left alone; one that has begun goes on.
    """
    refuse_multirun_of_processes(cfg)
    refuse_missing_gpus(cfg.trainer.accelerator, cfg.trainer.devices)
    if is_requeued():
        cfg.run = cfg.run_dir  # the same job, in its own folder
    callbacks = _values(cfg.callbacks)
    for callback in callbacks:
        if hasattr(callback, "listen"):
            callback.listen()
    folder = Run(cfg.run_dir)
    is_job = HydraConfig.get().mode == RunMode.MULTIRUN
    with suppress(BusyError) if is_job else nullcontext(), alone(folder):
        if is_job and folder.exists:
            refuse_other_job(cfg, folder)
            if folder.finished:
                return
            cfg.run = str(folder.folder)
        train(cfg, folder, callbacks, show=not is_job)


def alone(folder: Run) -> AbstractContextManager[None]:
    """Be the only training that writes a run folder; of its processes, the first one is."""
    return folder.locked() if rank_zero_only.rank == 0 else nullcontext()  # type: ignore[attr-defined]


def train(cfg: DictConfig, folder: Run, callbacks: list[Any], *, show: bool) -> None:
    """Train and evaluate in a folder where nobody else writes.

    Args:
        cfg: Of the run.
        folder: Its folder.
        callbacks: Of the trainer.
        show: Show how far it is, and the result.
    """
    folder.forget_error()
    trainer, hasher, data = built(cfg, callbacks, show=show)
    if trainer.is_global_zero:
        begin(cfg, folder, trainer, hasher, data)
    with wandb_ended():
        seconds = fit(cfg, folder, trainer, hasher, data)
        if distributed.is_initialized():  # else its threads may abort the process when it ends
            distributed.destroy_process_group()
        if trainer.is_global_zero:
            result = finish(cfg, folder, trainer, data, seconds)
    if trainer.is_global_zero and show:
        console = Console()
        console.print(result_table(result))
        console.print(f"Run folder: {folder.folder}\nOpen {folder.page}", soft_wrap=True, markup=False)


def built(cfg: DictConfig, callbacks: list[Any], *, show: bool) -> tuple[pl.Trainer, Hasher, RetrievalDataModule]:
    """Trainer, network and data of a run; a frozen backbone gives features, which are kept on disk.

    Args:
        cfg: Of the run.
        callbacks: Of the trainer.
        show: Show how far it is.
    """
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data = instantiate(cfg.data)
    data.setup()  # before a network is built, whose weights may have to be loaded first
    data.keep(cfg.max_images)
    hasher = instantiate(cfg.hasher)
    frozen = hasher.encoder.backbone.frozen
    if cfg.cached_views and not frozen:
        msg = f"cached_views={cfg.cached_views} needs features that do not change: set backbone.frozen=true"
        raise ValueError(msg)
    if 0 < cfg.cached_views < hasher.views:
        msg = (
            f"cached_views={cfg.cached_views}: {hasher.name} compares {hasher.views} views of an image; cache that many"
        )
        raise ValueError(msg)
    if frozen and (hasher.views == 1 or cfg.cached_views):
        data = FeatureDataModule(data, hasher.encoder.backbone, cfg.cache_dir, cfg.cached_views)
    bars = {} if show else {"enable_progress_bar": False}
    trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=_values(cfg.logger), **bars)
    return trainer, hasher, data


@contextmanager
def wandb_ended() -> Iterator[None]:
    """End the run of Weights & Biases with a training, else those of one process would share one."""
    exit_code = 1
    try:
        yield
        exit_code = 0
    finally:
        wandb = sys.modules.get("wandb")  # which only its logger imports
        if wandb is not None and wandb.run is not None:
            wandb.finish(exit_code=exit_code)


def refuse_unfit(trainer: pl.Trainer, hasher: Hasher, data: RetrievalDataModule) -> None:
    """Refuse what cannot be trained or selected; photos and features are read, where they are not cached.

    Raises:
        ValueError: The method cannot learn from the data, or the metric that selects models is not computed.
    """
    data.prepare_data()
    data.setup()
    hasher.check(data)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if hasattr(callback, "check"):
            callback.check(trainer, data)


def begin(cfg: DictConfig, folder: Run, trainer: pl.Trainer, hasher: Hasher, data: RetrievalDataModule) -> None:
    """Refuse what cannot work before anything is overwritten; then write all that is known before training."""
    refuse_unfit(trainer, hasher, data)
    refuse(_values(cfg.metric), data.relevance("query", "database"))
    record = described(cfg, hasher, data)
    refuse_other_run(cfg, folder, hasher, record)
    refuse_full_disk(folder.folder, hasher)
    encoders = {
        name: ShallowEncoder(hasher.encoder.backbone, instantiate(estimator))
        for name, estimator in estimators(cfg).items()
    }
    device = trainer.strategy.root_device
    codes = {name: baseline_codes(encoder, data, cfg.cache_dir, device) for name, encoder in encoders.items()}
    baselines = [Method(name, encoder.bits, own=False) for name, encoder in encoders.items()]
    methods = [*record.methods, *baselines, Method(RANDOM, cfg.bits, own=False)]
    if HydraConfig.get().output_subdir is None:  # else Hydra has written them
        folder.write_overrides(HydraConfig.get().overrides.task)
    write_beginning(folder, OmegaConf.to_yaml(cfg, resolve=True), replace(record, methods=methods), data)
    for name, baseline in codes.items():
        folder.write_codes(name, baseline)


def fit(
    cfg: DictConfig, folder: Run, trainer: pl.Trainer, hasher: Hasher, data: RetrievalDataModule
) -> dict[str, float]:
    """Train, from the last checkpoint where a run is resumed, and encode with the weights that were best on validation.

    Returns:
        Seconds of both.
    """
    start = time.perf_counter()
    learn(cfg, folder, trainer, hasher, data)
    if has_epochs(cfg, hasher):
        hasher.load_state_dict(folder.checkpoint(folder.best)["state_dict"])
    trained = time.perf_counter()
    trainer.test(hasher, data, verbose=False)
    if not has_epochs(cfg, hasher):  # what needs no training is ready now
        trainer.save_checkpoint(folder.best, weights_only=True)
    return {"training": round(trained - start, 1), "encoding": round(time.perf_counter() - trained, 1)}


def learn(cfg: DictConfig, folder: Run, trainer: pl.Trainer, hasher: Hasher, data: RetrievalDataModule) -> None:
    """Train and validate, from the last checkpoint where a run is resumed; queries and database are not looked at."""
    pl.seed_everything(cfg.seed, workers=True, verbose=False)  # whatever the baselines have drawn
    if has_epochs(cfg, hasher):
        last = folder.last if cfg.run and folder.last.is_file() else None
        trainer.fit(hasher, data, ckpt_path=last, weights_only=True)
    else:  # what needs no training is fitted where codes are first needed
        trainer.validate(hasher, data, verbose=False)


def has_epochs(cfg: DictConfig, hasher: Hasher) -> bool:
    """Whether the method is trained by gradient; else there are no epochs, whatever was set."""
    return cfg.epochs > 0 and is_overridden("training_step", hasher)


def finish(
    cfg: DictConfig, folder: Run, trainer: pl.Trainer, data: RetrievalDataModule, seconds: dict[str, float]
) -> Result:
    """Measure the codes, draw the page, and give both to the loggers."""
    record = folder.record()
    methods = [method._replace(bits=folder.codes(method.name).bits) for method in record.methods]
    folder.forget_measures()
    folder.write_record(replace(record, methods=methods, seconds=seconds))
    measures = measure(folder, _values(cfg.metric))
    measures.write(folder)
    collect(folder, data.sets["query"], data.sets["database"])
    write_page(folder)
    scores = measures.result.scores
    final = {f"{name}/{metric}": value["expected"] for name in scores for metric, value in scores[name].items()}
    for logger in trainer.loggers:
        logger.log_metrics(final)
        if hasattr(logger, "log_run"):
            logger.log_run(folder)
        if hasattr(logger, "log_image"):
            for name, picture in pictures(folder).items():
                logger.log_image(name, [str(picture)])
    return measures.result


def described(cfg: DictConfig, hasher: Hasher, data: RetrievalDataModule) -> Record:
    """What the run is, without what it is compared with."""
    identity = {"method": cfg.names.method, "data": cfg.names.data, "bits": cfg.bits, "seed": cfg.seed}
    overrides = [o for o in HydraConfig.get().overrides.task if o.partition("=")[0] not in {*identity, "run"}]
    return Record(
        **identity,
        overrides=overrides,
        checksum=data.checksum(),
        counts={name: len(split) for name, split in data.sets.items()},
        methods=[Method(name, hasher.bits, own=True) for name in hasher.methods],
        versions=environment(root()),
        metrics=list(cfg.metric),
        top_k=cfg.top_k,
    )


def estimators(cfg: DictConfig) -> dict[str, DictConfig]:
    """Configs of the estimators of ``baselines``, with the values of this run; the method of the run is none of them.

    Raises:
        ValueError: A baseline is no method, or one that is trained by gradient.
    """
    chosen = {}
    for name in cfg.baselines or []:
        try:
            method = _method(name)
        except MissingConfigException as error:
            msg = f"baselines={name}: there is no such method; softhash train --help lists them"
            raise ValueError(msg) from error
        if method.epochs or "estimator" not in method:
            msg = f"baselines={name}: this method is trained by gradient, a baseline is not, such as lsh"
            raise ValueError(msg)
        if name != cfg.names.method:
            estimator = OmegaConf.to_container(method.estimator, resolve=False)
            values = OmegaConf.to_container(cfg, resolve=False)
            chosen[name] = OmegaConf.create({**values, "estimator": estimator}).estimator  # type: ignore[dict-item]
    return chosen


@cache
def _method(name: str) -> DictConfig:
    """The configuration of a method with nothing else chosen, composed once for all jobs of a multirun."""
    return compose("train", [f"method={name}"])


def refuse_other_run(cfg: DictConfig, folder: Run, hasher: Hasher, record: Record) -> None:
    """Stop before a run folder is overwritten by another run.

    Raises:
        ValueError: The folder has a run that is not to be resumed; or one that was trained otherwise, says how; or its
            last checkpoint is damaged.
    """
    if not cfg.run:
        folder.refuse_taken()
        return
    if folder.last.is_file():
        hasher.on_load_checkpoint(folder.checkpoint(folder.last))
    if folder.exists:
        config = yaml.safe_load(OmegaConf.to_yaml(cfg, resolve=True))
        differs = list(differences(_learnt(folder.record(), folder.config()), _learnt(record, config)))
        if differs:
            msg = (
                f"run={folder.folder} was trained with {'; '.join(differs)}.\n"
                "  Only epochs, metrics, loggers and what does not change training may be set anew; train the rest in a"
                " folder of its own."
            )
            raise ValueError(msg)


def refuse_other_job(cfg: DictConfig, folder: Run) -> None:
    """Stop a job of a multirun where its folder can not be read, or was gone on with by hand in another way.

    Raises:
        ValueError: Says why, and that another experiment has folders of its own.
    """
    try:
        folder.result()
        now = yaml.safe_load(OmegaConf.to_yaml(cfg, resolve=True))
        before, after = ({name: config.get(name) for name in _MEASURED} for config in (folder.config(), now))
        problem = "; ".join(differences(before, after))
    except (OSError, ValueError) as error:
        problem = str(error)
    if problem:
        msg = f"{folder.folder} is not what this job would be: {problem}\n  experiment_name=NAME trains it anew."
        raise ValueError(msg)


def differences(before: object, now: object, name: str = "") -> Iterator[str]:
    """Values of nested mappings that have changed, in words.

    Example:
        >>> list(differences({"seed": 0, "loss": {"beta": 5.0}}, {"seed": 0, "loss": {"beta": 2.0}}))
        ['loss.beta=5.0, not 2.0']
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before | now:
            yield from differences(before.get(key), now.get(key), f"{name}.{key}" if name else str(key))
    elif before != now:
        yield f"{name}={before}, not {now}"


def _learnt(record: Record, config: dict[str, Any]) -> dict[str, Any]:
    """What decides which weights come out of an epoch."""
    settings = {name: config.get(name) for name in ("hasher", "augment", "cached_views", "batch_size")}
    return {"data": record.data, "seed": record.seed, "checksum": record.checksum, **settings}


def refuse_multirun_of_processes(cfg: DictConfig) -> None:
    """Stop a multirun with several processes per job: Lightning would start the whole sweep again in each.

    Raises:
        ValueError: ``-m`` on the basic launcher with more than one device.
    """
    hydra = HydraConfig.get()
    basic = hydra.launcher._target_.endswith("BasicLauncher")
    if hydra.mode == RunMode.MULTIRUN and basic and cfg.trainer.devices not in (1, "1", [0]):
        msg = (
            f"-m with trainer.devices={cfg.trainer.devices} would start the whole sweep once per device.\n"
            "  Use trainer.devices=1, run the jobs one by one without -m, or use a launcher that starts a process"
            " for each device, such as hydra/launcher=slurm."
        )
        raise ValueError(msg)


def refuse_missing_gpus(accelerator: str, devices: object) -> None:
    """Stop where more GPUs are asked for than there are.

    Raises:
        ValueError: Says how many were asked for and found.
    """
    if accelerator in {"gpu", "cuda"}:
        found = CUDAAccelerator.auto_device_count() + MPSAccelerator.is_available()
        wanted = len(devices) if isinstance(devices, Sequence) and not isinstance(devices, str) else devices
        needed = wanted if isinstance(wanted, int) and wanted > 0 else 1
        if found < needed:
            msg = (
                f"trainer.accelerator={accelerator} with trainer.devices={devices} needs {needed} GPU(s);"
                f" torch finds {found}.\n"
                "  Take trainer=cpu, or fewer devices; nvidia-smi shows GPUs, and a job of Slurm must ask for them."
            )
            raise ValueError(msg)


def refuse_full_disk(folder: Path, hasher: Hasher) -> None:
    """Stop before training where the run folder could not hold two checkpoints with their optimiser states.

    Raises:
        OSError: Too little space; says how much is needed and how much is there.
    """
    needed = 2 * 3 * 4 * sum(parameter.numel() for parameter in hasher.parameters())
    free = shutil.disk_usage(folder).free
    if free < needed:
        msg = f"{folder} has {free / 1e6:.0f} MB free; the checkpoints of this run need about {needed / 1e6:.0f} MB"
        raise OSError(msg)


def _values(group: DictConfig) -> list[Any]:
    return list(instantiate(group).values())
