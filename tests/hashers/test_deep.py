from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR

from softhash.data.base import RetrievalDataModule, Split, TensorSplit
from softhash.data.protocols import SPLITS
from softhash.functional.similarity import share
from softhash.hashers.deep import DeepHasher
from softhash.hashers.encoder import Encoder
from softhash.heads.activations import ScaledTanh
from softhash.losses.csq import CSQLoss
from softhash.losses.dhn import DHNLoss


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
        self.first, self.some = relaxed, train.encode(torch.tensor([1, 4]))[1]

    def on_epoch_end(self, epoch: int, train: Any) -> None:
        self.calls.append(("end", epoch, train.bits))

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        return [{"params": [self.proxy], "lr": 10 * lr}]

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        return {"square": (relaxed**2).mean() * self.proxy}


class Data(RetrievalDataModule):
    """Six images to train on, each of a class of its own; the others are copies with other names, validation alike."""

    def __init__(self, matrix: np.ndarray | None = None) -> None:
        self.matrix = matrix
        num_classes = 0 if matrix is not None else 6
        super().__init__(num_classes, batch_size=2, num_workers=0, seed=0)
        self.class_names = [str(number) for number in range(num_classes)]

    def load(self) -> dict[str, Split]:
        images = torch.arange(24, dtype=torch.uint8).reshape(6, 1, 2, 2)
        labels = torch.eye(6, dtype=torch.uint8)[:, : self.num_classes]
        names = {name: np.array([f"{name}{row}" for row in range(6)]) for name in SPLITS}
        labels_of = dict.fromkeys(SPLITS, labels) | {"validation": torch.ones_like(labels)}
        return {
            name: TensorSplit(ids, labels_of[name], np.arange(6), images, nn.Identity()) for name, ids in names.items()
        }


def hasher(loss: nn.Module, bits: int = 6, name: str = "toy") -> DeepHasher:
    return DeepHasher(
        name=name,
        encoder=Encoder(bits, Flatten(), partial(nn.Linear, out_features=bits)),
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
        limit_val_batches=0,
    )


def test_every_hook_is_called_at_its_time(tmp_path: Path) -> None:
    loss = Recorder()

    trainer(tmp_path, epochs=2).fit(hasher(loss), Data())

    epoch = [
        [("start", e, (6, 3), (6, 6)), *(("step", 3 * e + s, 6) for s in range(3)), ("end", e, 6)] for e in range(2)
    ]
    assert loss.calls == [("setup", (6, 6), 6), *epoch[0], *epoch[1]]


def test_a_pass_over_the_training_set_is_in_row_order_and_leaves_the_mode(tmp_path: Path) -> None:
    loss = Recorder()
    model = hasher(loss)
    seen: list[bool] = []
    model.on_train_batch_end = lambda *_: seen.append(model.training)  # type: ignore[method-assign]

    trainer(tmp_path, epochs=1).fit(model, Data())

    assert seen == [True, True, True]
    assert loss.first.shape == (6, 6)
    torch.testing.assert_close(loss.some, loss.first[[1, 4]])
    assert not loss.first.requires_grad


def test_backbone_head_and_loss_learn_at_their_own_rates(tmp_path: Path) -> None:
    model = hasher(Recorder())

    trainer(tmp_path, epochs=1).fit(model, Data())

    groups = model.optimizers().param_groups  # type: ignore[union-attr]
    assert [group["lr"] for group in groups] == pytest.approx([0.1, 0.001, 1.0])
    assert groups[0]["params"] == list(model.encoder.head.parameters())
    assert groups[1]["params"] == list(model.encoder.backbone.parameters())


def test_parameters_that_are_frozen_are_not_optimised(tmp_path: Path) -> None:
    model = hasher(Recorder())
    model.encoder.backbone.requires_grad_(False)

    trainer(tmp_path, epochs=1).fit(model, Data())

    assert len(model.optimizers().param_groups) == 2  # type: ignore[union-attr]


def test_a_loss_that_is_not_finite_names_the_step_and_its_terms(tmp_path: Path) -> None:
    class Bad(Recorder):
        def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
            steps = [call for call in self.calls if call[0] == "step"]
            bad = torch.tensor(float("nan") if len(steps) == 3 else 1.0)
            return {"good": relaxed.square().sum() * 0, "bad": bad + relaxed.sum() * 0}

    with pytest.raises(FloatingPointError, match=r"step 2 \(epoch 0\): good = 0, bad = nan"):
        trainer(tmp_path, epochs=1).fit(hasher(Bad()), Data())


def test_codes_are_encoded_in_float32_whatever_the_training_precision() -> None:
    model = hasher(Recorder())
    images = torch.randint(256, (5, 1, 2, 2), dtype=torch.uint8)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, relaxed = model.encoder.relaxed(images)

    assert relaxed.dtype == torch.float32
    torch.testing.assert_close(relaxed, model.encoder.head(model.encoder.backbone(images)), rtol=0, atol=0)


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

    torch.testing.assert_close(model(features), model.encoder.head(features), rtol=0, atol=0)


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
    large.encoder.backbone.layer = nn.Linear(4, 4)

    assert small.identity()["backbone"] == "Flatten of 15 parameters"
    assert large.identity()["backbone"] == "Flatten of 20 parameters"


def test_bits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="bits must be at least 1, got 0"):
        hasher(Recorder(), bits=0)


def test_a_loss_that_compares_images_takes_the_similarities_of_the_data(tmp_path: Path) -> None:
    matrix, model = np.arange(36.0).reshape(6, 6) / 35, hasher(DHNLoss())

    trainer(tmp_path, epochs=0).fit(model, Data(matrix))

    assert model.loss.similarity is share  # what was asked for stands
    similar = model.loss.pairs(torch.zeros(2, 0), torch.tensor([3, 1]))
    torch.testing.assert_close(similar, torch.tensor([[21.0, 19.0], [9.0, 7.0]]) / 35)


def test_similarities_are_refused_by_a_loss_that_needs_classes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"method=toy learns from labels.*\n  Take a method that compares images"):
        trainer(tmp_path, epochs=0).fit(hasher(CSQLoss()), Data(np.ones((6, 6))))


def test_a_hook_of_any_part_is_called(tmp_path: Path) -> None:
    model = hasher(Recorder())
    model.encoder.head = nn.Sequential(nn.Linear(3, 6), ScaledTanh(growth=0.5, every=1))

    trainer(tmp_path, epochs=1).fit(model, Data())

    assert model.encoder.head[1].beta.item() == pytest.approx((1 + 0.5 * 2) ** 0.5)  # set before steps 0, 1 and 2


def test_the_end_of_an_epoch_comes_before_its_validation(tmp_path: Path) -> None:
    loss = Recorder()
    model = hasher(loss)
    model.on_validation_start = lambda: loss.calls.append(("validation",))  # type: ignore[method-assign]
    validating = trainer(tmp_path, epochs=1)
    validating.limit_val_batches = 1.0
    validating.num_sanity_val_steps = 0

    validating.fit(model, Data())

    assert [call[0] for call in loss.calls][-2:] == ["end", "validation"]


def test_every_parameter_is_optimised_wherever_it_is(tmp_path: Path) -> None:
    model = hasher(Recorder())
    model.text = nn.Linear(2, 2)  # a network of the hasher's own

    trainer(tmp_path, epochs=1).fit(model, Data())

    optimised = {id(p) for group in model.optimizers().param_groups for p in group["params"]}  # type: ignore[union-attr]
    assert optimised == {id(parameter) for parameter in model.parameters()}


def test_a_loss_that_names_features_is_given_them(tmp_path: Path) -> None:
    class OfFeatures(Recorder):
        def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor, features: Tensor) -> dict[str, Tensor]:
            self.calls.append((tuple(features.shape), features.requires_grad))
            return {"square": (relaxed**2).mean()}

    loss = OfFeatures()

    trainer(tmp_path, epochs=1).fit(hasher(loss), Data())

    assert ((2, 3), True) in loss.calls


def test_a_loss_of_two_views_sees_each_image_twice_in_a_row(tmp_path: Path) -> None:
    class OfTwo(Recorder):
        views = 2

        def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
            self.calls.append(("rows", rows.tolist()))
            return {"square": (relaxed**2).mean()}

    loss = OfTwo()

    trainer(tmp_path, epochs=1).fit(hasher(loss), Data())

    batches = [call[1] for call in loss.calls if call[0] == "rows"]
    assert [len(batch) for batch in batches] == [4, 4, 4]
    assert all(batch[::2] == batch[1::2] and len(set(batch)) == 2 for batch in batches)


def test_a_loss_chooses_the_rows_of_an_epoch(tmp_path: Path) -> None:
    class OfSome(Recorder):
        def sample(self, epoch: int) -> Tensor:
            return torch.tensor([[0, 1, 2, 3], [4, 0, 1, 2]][epoch])

        def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
            self.calls.append(("rows", rows.tolist()))
            return {"square": (relaxed**2).mean()}

    loss = OfSome()

    trainer(tmp_path, epochs=2).fit(hasher(loss), Data())

    first, second, third, fourth = (call[1] for call in loss.calls if call[0] == "rows")
    assert sorted(first + second) == [0, 1, 2, 3]
    assert sorted(third + fourth) == [0, 1, 2, 4]
