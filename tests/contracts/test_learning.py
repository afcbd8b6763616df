"""Every method learns: on scikit-learn's digits, 8 x 8 pixels as features, its codes find more than random hyperplanes'."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from sklearn.datasets import load_digits

import softhash.config  # noqa: F401 - registers what configs call
from softhash.data.digits import describe
from softhash.hashers.base import Hasher
from softhash.metrics.evaluate import evaluate
from softhash.metrics.mean_average_precision import MeanAveragePrecision

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
BITS, EPOCHS = 16, 15


@cache
def digits() -> str:
    """Path of an npz file with features, labels and tags."""
    folder = TemporaryDirectory()
    digits.folder = folder  # type: ignore[attr-defined] # lives as long as the process
    features, target = load_digits(return_X_y=True)
    path = Path(folder.name) / "digits.npz"
    labels = np.eye(10, dtype=np.uint8)[target]
    tags = describe(torch.from_numpy(labels), np.random.default_rng(0))
    np.savez(path, features=(features / 16).astype(np.float32), labels=labels, tags=tags)
    return str(path)


def composed(name: str) -> DictConfig:
    sizes = ["data.num_features=64", "data.num_classes=10", "num_tags=30", "data.num_validation=100"]
    protocol = ["data.protocol.num_query=300", "data.protocol.num_train=1200", "data.protocol.train_in_database=true"]
    run = [f"bits={BITS}", f"epochs={EPOCHS}", "batch_size=64", f"names.method={name}", "names.data=digits"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(
            "train", [f"method={name}", "data=precomputed", f"data.root={digits()}", *sizes, *protocol, *run]
        )


@cache
def mean_average_precision(name: str) -> float:
    """mAP over the whole database of the first method of a hasher, trained for some seconds."""
    config = composed(name)
    pl.seed_everything(0, verbose=False)
    hasher, data = instantiate(config.hasher), instantiate(config.data)
    trainer = pl.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    if config.hasher.get("loss"):
        trainer.fit(hasher, data)
    collected: dict[str, list[torch.Tensor]] = {"query": [], "database": []}

    class Collect(pl.Callback):
        def on_test_batch_end(  # type: ignore[override]
            self, trainer: object, hasher: Hasher, codes: dict, batch: object, number: int, loader: int = 0
        ) -> None:
            side = "database" if loader else "query"
            collected[side].append(getattr(codes[hasher.methods[0]], side))

    trainer.callbacks.append(Collect())
    trainer.test(hasher, data, verbose=False)
    query, database = (torch.cat(parts) for parts in collected.values())
    relevance = data.relevance("query", "database")
    return evaluate([MeanAveragePrecision()], query, database, relevance, BITS).metrics["mAP"].expected


def learns(name: str) -> bool:
    """Whether the first comment of the config does not say that the method draws its hash functions at random."""
    return "Nothing is learnt" not in (CONF / "method" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if learns(name)])
def test_a_method_finds_more_than_random_hyperplanes(name: str) -> None:
    config = composed(name)
    learns_from = instantiate(config.hasher).learns_from
    margin = 0.02 if learns_from == "nothing" else 0.1  # of 0.32

    assert mean_average_precision(name) > mean_average_precision("lsh") + margin
