from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR
from torch.utils.data import DataLoader, Dataset

from softhash.functional.similarity import SimilarityMatrix
from softhash.hashers.deep import DeepHasher
from softhash.losses.csq import CSQLoss
from softhash.losses.dhn import DHNLoss
from softhash.types import Batch


class Flatten(nn.Module):
    """A backbone of one layer."""

    out_features = 3
    frozen = False

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.float().flatten(1) / 255)


class Recorder(nn.Module):
    """A loss with every hook, which writes down how it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.proxy = nn.Parameter(torch.ones(()))
        self.calls: list[tuple[Any, ...]] = []

    def setup(self, train: Any) -> None:
        self.calls.append(("setup", tuple(train.labels.shape), train.bits))

    def on_step(self, step: int, total: int) -> None:
        self.calls.append(("step", step, total))

    def on_epoch_start(self, epoch: int, train: Any) -> None:
        features, relaxed = train.encode()
        self.calls.append(("start", epoch, tuple(features.shape), tuple(relaxed.shape)))
        self.first = relaxed

    def on_epoch_end(self, epoch: int, train: Any) -> None:
        self.calls.append(("end", epoch, train.bits))

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        return [{"params": [self.proxy], "lr": 10 * lr}]

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        return {"square": (relaxed**2).mean() * self.proxy}


class Rows(Dataset[Batch]):
    labels = torch.eye(5, dtype=torch.uint8)
    images = torch.arange(20, dtype=torch.uint8).reshape(5, 1, 2, 2)

    def __len__(self) -> int:
        return 5

    def __getitem__(self, row: int) -> Batch:
        return Batch(self.images[row], self.labels[row], torch.tensor(row))


class Data(pl.LightningDataModule):
    sets = {"train": Rows()}

    def train_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(Rows(), batch_size=2)

    def predict_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(Rows(), batch_size=2)


def hasher(loss: nn.Module, bits: int = 6, name: str = "toy") -> DeepHasher:
    return DeepHasher(
        name=name,
        bits=bits,
        backbone=Flatten(),
        head=partial(nn.Linear, out_features=bits),
        loss=loss,
        optimizer=partial(torch.optim.SGD, lr=0.1),
        scheduler=lambda optimizer, total_steps: ConstantLR(optimizer, factor=1.0, total_iters=total_steps),
        backbone_lr_factor=0.01,
    )


def trainer(folder: Path, epochs: int) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        enable_checkpointing=False,
    )


def test_every_hook_is_called_at_its_time(tmp_path: Path) -> None:
    loss = Recorder()

    trainer(tmp_path, epochs=2).fit(hasher(loss), Data())

    epoch = [
        [("start", e, (5, 3), (5, 6)), *(("step", 3 * e + s, 6) for s in range(3)), ("end", e, 6)] for e in range(2)
    ]
    assert loss.calls == [("setup", (5, 5), 6), *epoch[0], *epoch[1]]


def test_a_pass_over_the_training_set_is_in_row_order_and_leaves_the_mode(tmp_path: Path) -> None:
    loss = Recorder()
    model = hasher(loss)
    seen: list[bool] = []
    model.on_train_batch_end = lambda *_: seen.append(model.training)  # type: ignore[method-assign]

    trainer(tmp_path, epochs=1).fit(model, Data())

    assert seen == [True, True, True]
    assert loss.first.shape == (5, 6)
    assert not loss.first.requires_grad


def test_backbone_head_and_loss_learn_at_their_own_rates(tmp_path: Path) -> None:
    model = hasher(Recorder())

    trainer(tmp_path, epochs=1).fit(model, Data())

    groups = model.optimizers().param_groups  # type: ignore[union-attr]
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.001, 1.0])
    assert groups[0]["params"] == list(model.head.parameters())
    assert groups[1]["params"] == list(model.backbone.parameters())


def test_parameters_that_are_frozen_are_not_optimised(tmp_path: Path) -> None:
    model = hasher(Recorder())
    model.backbone.requires_grad_(False)

    trainer(tmp_path, epochs=1).fit(model, Data())

    assert len(model.optimizers().param_groups) == 2  # type: ignore[union-attr]


def test_a_loss_that_is_not_finite_names_the_step_and_its_terms(tmp_path: Path) -> None:
    class Bad(Recorder):
        def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
            bad = torch.tensor(float("nan") if 4 in rows else 1.0)
            return {"good": relaxed.square().sum() * 0, "bad": bad + relaxed.sum() * 0}

    with pytest.raises(FloatingPointError, match=r"step 2 \(epoch 0\): good = 0, bad = nan"):
        trainer(tmp_path, epochs=1).fit(hasher(Bad()), Data())


def test_codes_are_encoded_in_float32_whatever_the_training_precision() -> None:
    model = hasher(Recorder())
    images = torch.randint(256, (5, 1, 2, 2), dtype=torch.uint8)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, relaxed = model.encode(images)

    assert relaxed.dtype == torch.float32
    torch.testing.assert_close(relaxed, model.head(model.backbone(images)), rtol=0, atol=0)


def test_the_loss_sees_float32_under_mixed_precision(tmp_path: Path) -> None:
    class Dtypes(Recorder):
        def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
            product = relaxed @ relaxed.T
            self.calls.append((relaxed.dtype, labels.dtype, product.dtype))
            return {"square": product.mean()}

    loss = Dtypes()
    mixed = pl.Trainer(
        max_steps=1,
        accelerator="cpu",
        precision="bf16-mixed",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=tmp_path,
    )

    mixed.fit(hasher(loss), Data())

    assert (torch.float32, torch.float32, torch.float32) in loss.calls


def test_cached_features_skip_the_backbone() -> None:
    model = hasher(Recorder())
    features = torch.randn(2, 3)

    torch.testing.assert_close(model(features), model.head(features), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (hasher(Recorder(), bits=5), "bits is 6, not 5"),
        (hasher(Recorder(), name="other"), "method is 'toy', not 'other'"),
    ],
)
def test_the_checkpoint_of_another_model_is_refused(other: DeepHasher, message: str, tmp_path: Path) -> None:
    first = trainer(tmp_path, epochs=1)
    first.fit(hasher(Recorder()), Data())
    first.save_checkpoint(tmp_path / "toy.ckpt")

    with pytest.raises(ValueError, match=message):
        trainer(tmp_path, epochs=2).fit(other, Data(), ckpt_path=tmp_path / "toy.ckpt")


def test_networks_of_one_class_are_told_apart_in_a_checkpoint() -> None:
    small, large = hasher(Recorder()), hasher(Recorder())
    large.backbone.layer = nn.Linear(4, 4)

    assert small.identity()["backbone"] == "Flatten of 15 parameters"
    assert large.identity()["backbone"] == "Flatten of 20 parameters"


def test_bits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="bits must be at least 1, got 0"):
        hasher(Recorder(), bits=0)


class Similar(Data):
    """Images with numbers, and a matrix of their similarities."""

    def __init__(self) -> None:
        super().__init__()
        self.similarity = SimilarityMatrix(np.eye(5))


def test_a_loss_that_compares_images_takes_the_similarities_of_the_data(tmp_path: Path) -> None:
    data, model = Similar(), hasher(DHNLoss())

    trainer(tmp_path, epochs=0).fit(model, data)

    assert model.loss.kind is data.similarity


def test_similarities_are_refused_by_a_loss_that_needs_classes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"method=toy learns from labels.*\n  Take a method that compares images"):
        trainer(tmp_path, epochs=0).fit(hasher(CSQLoss()), Similar())
