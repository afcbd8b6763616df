"""``softhash train``: train a method, encode queries and database, measure them, and show the result."""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from softhash.config import root
from softhash.data.features import FeatureDataModule
from softhash.hashers.base import Hasher
from softhash.hashers.shallow import ShallowEncoder, ShallowHasher
from softhash.report.gallery import write_gallery
from softhash.report.page import figures, write_page
from softhash.report.tables import result_table
from softhash.runs.folder import read_json, surroundings, write_arrays, write_json
from softhash.runs.measure import measure, write_random_codes
from softhash.shallow.lsh import LSH


def run(cfg: DictConfig) -> None:
    """Train and evaluate; everything that comes out lies in the run folder."""
    refuse_multirun_of_processes(cfg)
    folder, start = Path(cfg.run_dir), time.perf_counter()
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    data, hasher = instantiate(cfg.data), instantiate(cfg.hasher)
    backbone = hasher.encoder.backbone
    if backbone.frozen and hasher.views == 1:
        data = FeatureDataModule(data, backbone, cfg.cache_dir)
    baseline = ShallowHasher("lsh", ShallowEncoder(backbone, LSH(cfg.bits, random_state=cfg.seed)))
    refuse_full_disk(folder, hasher)
    exit_code = 1
    try:
        trainer = instantiate(cfg.trainer, callbacks=_values(cfg.callbacks), logger=_values(cfg.logger))
        trainer.test(baseline, data, verbose=False)
        if trainer.is_global_zero:
            begin(cfg, folder, data, rows=list(dict.fromkeys([*hasher.methods, "lsh", "random"])))
        fit(cfg, trainer, hasher, data)
        trainer.test(hasher, data, verbose=False)
        if trainer.is_global_zero:
            result = finish(cfg, folder, data, trainer, seconds=time.perf_counter() - start)
        exit_code = 0
    finally:
        if "wandb" in sys.modules:  # else the jobs of a multirun would share one run
            sys.modules["wandb"].finish(exit_code=exit_code)
    if trainer.is_global_zero:
        console = Console()
        console.print(result_table(result))
        console.print(f"Run folder: {folder}\nOpen {folder / 'index.html'}", soft_wrap=True)


def fit(cfg: DictConfig, trainer: pl.Trainer, hasher: Hasher, data: pl.LightningDataModule) -> None:
    """Train, from the last checkpoint where a run is resumed, and take the weights that were best on validation."""
    pl.seed_everything(cfg.seed, workers=True, verbose=False)  # whatever the baseline has drawn
    if cfg.epochs:
        last = Path(cfg.run) / "checkpoints" / "last.ckpt" if cfg.run else None
        trainer.fit(hasher, data, ckpt_path=last, weights_only=True)
        checkpoint: Any = trainer.checkpoint_callback
        best = checkpoint.best_model_path
        hasher.load_state_dict(torch.load(best, map_location="cpu", weights_only=True)["state_dict"])


def begin(cfg: DictConfig, folder: Path, data: Any, rows: list[str]) -> None:
    """Write what is known before training: configuration, versions, protocol, labels and the chance level."""
    OmegaConf.save(cfg, folder / "config.yaml", resolve=True)
    query, database = data.sets["query"], data.sets["database"]
    identity = {"method": cfg.names.method, "data": cfg.names.data, "bits": cfg.bits, "seed": cfg.seed}
    others = [o for o in HydraConfig.get().overrides.task if o.partition("=")[0] not in {*identity, "run"}]
    protocol = {
        "checksum": data.checksum(),
        "counts": {name: len(split) for name, split in data.sets.items()},
    }
    identity |= {"overrides": others, "protocol": protocol}
    write_json(folder / "run.json", {"identity": identity, "rows": rows, "versions": surroundings(root())})
    write_arrays(
        folder / "codes" / "labels.npz",
        query_ids=query.ids,
        database_ids=database.ids,
        **data.relevance("query", "database").arrays(),
    )
    write_random_codes(folder, len(query), len(database), cfg.bits, cfg.seed)


def finish(cfg: DictConfig, folder: Path, data: Any, trainer: pl.Trainer, seconds: float) -> dict[str, Any]:
    """Measure the codes, draw the pictures, and give both to the loggers."""
    write_json(folder / "run.json", read_json(folder / "run.json") | {"seconds": round(seconds, 1)})
    result = measure(folder, _values(cfg.metric))
    write_gallery(folder, cfg.names.method, data.sets["query"], data.sets["database"])
    write_page(folder)
    final = {f"{row}/{name}": v["expected"] for row, values in result["rows"].items() for name, v in values.items()}
    for logger in trainer.loggers:
        logger.log_metrics(final)
        if hasattr(logger, "log_image"):
            for name, picture in figures(folder).items():
                logger.log_image(name, [str(picture)])
    return result


def refuse_multirun_of_processes(cfg: DictConfig) -> None:
    """Stop a multirun with several processes a job: Lightning would start the whole sweep again in each.

    Raises:
        ValueError: ``-m`` on the basic launcher with more than one device.
    """
    hydra = HydraConfig.get()
    basic = hydra.launcher._target_.endswith("BasicLauncher")
    if hydra.mode == RunMode.MULTIRUN and basic and cfg.trainer.devices not in (1, "1", [0]):
        msg = (
            f"-m with trainer.devices={cfg.trainer.devices} would start the whole sweep once a device.\n"
            "  Use trainer.devices=1, run the jobs one by one without -m, or use a launcher that starts a process"
            " for each device, such as hydra/launcher=submitit_slurm."
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
