"""A network trained by gradient to give codes."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from softhash.functional.distributed import gather_batch
from softhash.hashers.base import Hasher, TrainingPass
from softhash.hashers.encoder import Encoder
from softhash.types import Batch


class DeepHasher(Hasher):
    """Encoder and hash loss.

    All modules below (backbone, head, loss and what they are made of) may have the hooks ``setup``, ``on_step``,
    ``on_epoch_start`` and ``on_epoch_end`` of :class:`softhash.losses.base.HashLoss`; they are found by presence.

    Args:
        name: Name of the method in tables and of its file of codes.
        encoder: Images to codes.
        loss: A :class:`softhash.losses.base.HashLoss`.
        optimizer: Builds the optimiser, given parameter groups.
        scheduler: Builds the learning-rate schedule, given the optimiser and ``total_steps``.
        backbone_lr_factor: Learning rate of the backbone as a share of the head's.
        global_batch: The loss sees the batches of all processes together, so that several processes with parts of a
            batch learn what one with the whole batch does; else each process compares the images of its own.
    """

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        loss: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        backbone_lr_factor: float = 1.0,
        global_batch: bool = True,
    ) -> None:
        super().__init__(name, encoder)
        self.loss = loss
        self.optimizer, self.scheduler, self.backbone_lr_factor = optimizer, scheduler, backbone_lr_factor
        self.global_batch = global_batch
        self.views = getattr(loss, "views", 1)
        self.learns_from = getattr(loss, "learns_from", "classes")
        self._wants_features = "features" in inspect.signature(loss.forward).parameters
        self._is_set_up = False
        self._on_step: list[Callable[..., None]] = []

    def sample(self, epoch: int) -> Tensor | None:
        """Rows to train on in an epoch, where the loss says so."""
        choose: Callable[[int], Tensor] | None = getattr(self.loss, "sample", None)
        return choose(epoch) if choose else None

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, K)`` relaxed codes of a batch of images or cached features."""
        return self.encoder.relax(self.encoder.features(inputs))

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted terms of the loss, 0-d each, whose sum is minimised."""
        features = self.encoder.features(batch.inputs)
        relaxed = self.encoder.relax(features)
        with torch.autocast(self.device.type, enabled=False):
            given = {"relaxed": relaxed.float(), "labels": batch.labels.float(), "rows": batch.rows}
            if self._wants_features:
                given["features"] = features.float()
            if self.global_batch:
                given = dict(zip(given, gather_batch(*given.values()), strict=True))
            terms: dict[str, Tensor] = self.loss(**given)
        return terms

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Sum of the loss terms, each logged.

        Raises:
            FloatingPointError: A term is NaN or infinite.
        """
        terms = self.terms(batch)
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            values = ", ".join(f"{name} = {value.item():g}" for name, value in terms.items())
            msg = (
                f"the loss is not finite at step {self.global_step} (epoch {self.current_epoch}): {values}.\n"
                "  Lower optimizer.lr or set trainer.gradient_clip_val; the checkpoints written so far are kept."
            )
            raise FloatingPointError(msg)
        logged = {f"train/{name}": value for name, value in terms.items()}
        self.log_dict(logged | {"train/loss": total}, batch_size=len(batch.rows))
        return total

    def configure_optimizers(self) -> Any:
        """Backbone at its share of the learning rate, the loss as it says, everything else at the whole rate."""
        backbone, loss = list(self.encoder.backbone.parameters()), list(self.loss.parameters())
        apart = {id(parameter) for parameter in [*backbone, *loss]}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in apart]
        optimizer = self.optimizer([{"params": rest}])
        rate: float = optimizer.defaults["lr"]
        own: Callable[[float], list[dict[str, Any]]] = getattr(
            self.loss, "param_groups", lambda rate: [{"params": loss, "lr": rate}]
        )
        for group in [{"params": backbone, "lr": rate * self.backbone_lr_factor}, *own(rate)]:
            trained = [parameter for parameter in group["params"] if parameter.requires_grad]
            if trained:
                optimizer.add_param_group(group | {"params": trained})
        scheduler = self.scheduler(optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def setup(self, stage: str) -> None:
        """Let the parts see the training set once, before a checkpoint is restored."""
        if not self._is_set_up:
            self.check(self.trainer.datamodule)  # type: ignore[attr-defined]
            for hook in self._hooks("setup"):
                hook(TrainingPass(self))
            self._is_set_up = True

    def on_train_start(self) -> None:
        """Find out once which parts want to know of every step."""
        self._on_step = self._hooks("on_step")

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Steps that are not gradient steps, before an epoch; then continuation schedules.

        Lightning leaves ``on_train_epoch_start`` out in the first epoch of a resumed run.
        """
        if batch_idx == 0:
            for hook in self._hooks("on_epoch_start"):
                hook(self.current_epoch, TrainingPass(self))
        for hook in self._on_step:
            hook(self.global_step, int(self.trainer.estimated_stepping_batches))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Steps that are not gradient steps, after an epoch and before its validation.

        Lightning's ``on_train_epoch_end`` comes after the validation that selects the model.
        """
        if self.trainer.is_last_batch:
            for hook in self._hooks("on_epoch_end"):
                hook(self.current_epoch, TrainingPass(self))

    def _hooks(self, name: str) -> list[Callable[..., None]]:
        parts = [module for module in self.modules() if module is not self]
        return [hook for module in parts if callable(hook := getattr(module, name, None))]
