"""What a run folder keeps of every method: its encoder, found by the method's config."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from softhash.callbacks.codes import CodeWriter
from softhash.hashers.base import Hasher
from softhash.runs.folder import Run

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
COUNTS = {"num_train": 96, "num_validation": 16, "num_query": 40, "num_database": 70}


def composed(name: str) -> DictConfig:
    counts = [f"data.{key}={count}" for key, count in COUNTS.items()]
    names = [f"names.method={name}", "names.data=digits"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [f"method={name}", *names, "bits=16", "batch_size=32", "metric=[map_all]", *counts])


def trained(name: str, folder: Path) -> tuple[Run, Hasher, pl.LightningDataModule]:
    """A run that has been trained for some steps, as ``softhash train`` does it."""
    config, run = composed(name), Run(folder)
    pl.seed_everything(0, verbose=False)
    hasher, data = instantiate(config.hasher), instantiate(config.data)
    trainer = pl.Trainer(
        max_steps=4, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[CodeWriter(str(folder))],
    )  # fmt: skip
    if config.epochs:
        trainer.fit(hasher, data)
    trainer.test(hasher, data, verbose=False)
    trainer.save_checkpoint(run.best)
    run.write_config(OmegaConf.to_yaml({"encoder": OmegaConf.to_container(config.encoder, resolve=True)}))
    run.write_relevance(data.relevance("query", "database"), data.sets["query"].ids, data.sets["database"].ids)
    return run, hasher, data


@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_of_a_folder_gives_the_codes_on_disk_bit_for_bit(name: str, tmp_path: Path) -> None:
    run, hasher, data = trained(name, tmp_path)

    encoder = Run(tmp_path).encoder()  # with no weights but those in the folder

    stored = run.codes(hasher.methods[0])
    queries, database = data.test_dataloader()
    encoded = torch.cat([encoder(batch.inputs).query for batch in queries])
    np.testing.assert_array_equal(encoded.numpy(), stored.query.numpy())
    if type(hasher).codes is Hasher.codes:  # else the codes of the database may be learnt instead of encoded
        encoded = torch.cat([encoder(batch.inputs).database for batch in database])
        np.testing.assert_array_equal(encoded.numpy(), stored.database.numpy())
