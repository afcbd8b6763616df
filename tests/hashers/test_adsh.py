from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim.lr_scheduler import ConstantLR

from softhash.data.base import RetrievalDataModule, Split, TensorSplit
from softhash.functional.codes import pack, unpack
from softhash.hashers.adsh import ADSHHasher
from softhash.hashers.encoder import Encoder
from softhash.losses.adsh import ADSHLoss
from softhash.types import Batch, Codes

NAMES = {
    "train": ["a", "b", "c", "d", "e"],
    "validation": ["v", "w"],
    "query": ["q", "r"],
    "database": ["x", "d", "v", "a"],  # d and a are training images
}


class Features(RetrievalDataModule):
    """Vectors in place of images."""

    class_names = ["only"]

    def load(self) -> dict[str, Split]:
        rng = torch.Generator().manual_seed(0)
        vectors = {name: torch.randn(3, generator=rng) for name in "abcdevwqrx"}
        return {
            split: TensorSplit(
                np.array(names),
                torch.ones(len(names), 1, dtype=torch.uint8),
                np.arange(len(names)),
                torch.stack([vectors[name] for name in names]),
                nn.Identity(),
            )
            for split, names in NAMES.items()
        }


class Backbone(nn.Identity):
    out_features = 3
    frozen = False


def trainer(epochs: int = 1) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False,
    )  # fmt: skip


def hasher(seed: int = 0) -> ADSHHasher:
    torch.manual_seed(seed)
    return ADSHHasher(
        name="adsh",
        encoder=Encoder(8, Backbone(), partial(nn.Linear, out_features=8)),
        loss=ADSHLoss(num_samples=4, epochs_per_sample=2, seed=seed),
        optimizer=partial(torch.optim.SGD, lr=0.01),
        scheduler=lambda optimizer, total_steps: ConstantLR(optimizer, factor=1.0, total_iters=total_steps),
    )


def data() -> Features:
    return Features(num_classes=1, batch_size=2, num_workers=0, seed=0)


def test_training_images_in_the_database_have_learnt_codes_and_all_others_those_of_the_network() -> None:
    model, features = hasher(), data()
    trainer().test(model, features, verbose=False)
    database = features.sets["database"]

    codes = model.codes(Batch(database.images, database.labels, torch.arange(4)), "database")  # type: ignore[attr-defined]

    network = model.encoder(database.images).database  # type: ignore[attr-defined]
    assert list(codes) == model.methods == ["adsh", "adsh-network"]
    torch.testing.assert_close(codes["adsh-network"].database, network)
    torch.testing.assert_close(codes["adsh"].database[[0, 2]], network[[0, 2]])
    learnt = unpack(codes["adsh"].database[[1, 3]], bits=8)
    assert learnt.tolist() == (model.loss.codes[[3, 0]] > 0).tolist()
    torch.testing.assert_close(pack(codes["adsh"].relaxed), codes["adsh"].database)


@pytest.mark.parametrize("split", ["query", "validation"])
def test_queries_and_validation_images_have_codes_of_the_network(split: str) -> None:
    model, features = hasher(), data()
    trainer().test(model, features, verbose=False)
    part = features.sets[split]

    codes: dict[str, Codes] = model.codes(Batch(part.images, part.labels, torch.arange(2)), split)  # type: ignore[attr-defined]

    for of_method in codes.values():
        torch.testing.assert_close(of_method.query, model.encoder(part.images).query)  # type: ignore[attr-defined]


def test_a_run_that_is_resumed_within_a_sample_gives_the_same_codes(tmp_path: Path) -> None:
    whole, first, second = hasher(), hasher(), hasher()
    trainer(5).fit(whole, data())
    before = trainer(3)
    before.fit(first, data())
    before.save_checkpoint(tmp_path / "last.ckpt")

    trainer(5).fit(second, data(), ckpt_path=tmp_path / "last.ckpt", weights_only=True)

    torch.testing.assert_close(second.loss.codes, whole.loss.codes, rtol=0, atol=0)
    torch.testing.assert_close(second.encoder.head.weight, whole.encoder.head.weight, rtol=0, atol=0)
