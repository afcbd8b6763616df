"""A network trained by gradient to give codes."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from softhash.hashers.base import Hasher, TrainingPass
from softhash.types import Batch


class DeepHasher(Hasher):
    """Backbone, head and hash loss.

    Backbone, head and loss may have the hooks ``setup``, ``on_step``, ``on_epoch_start`` and ``on_epoch_end``
    of :class:`softhash.losses.base.HashLoss`; they are found by presence.

    Args:
        name: Name of the method, of its row in tables and of its file of codes.
        bits: Code length K.
        backbone: uint8 images to ``(B, D)`` features; has ``out_features`` and ``frozen``.
        head: Builds the module from features to relaxed codes, given ``in_features``.
        loss: A :class:`softhash.losses.base.HashLoss`.
        optimizer: Builds the optimiser, given parameter groups.
        scheduler: Builds the learning-rate schedule, given the optimiser and ``total_steps``.
        backbone_lr_factor: Learning rate of the backbone as a share of the head's.

    Raises:
        ValueError: ``bits`` is below 1.
    """

    def __init__(
        self,
        name: str,
        bits: int,
        backbone: nn.Module,
        head: Callable[..., nn.Module],
        loss: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Callable[..., LRScheduler],
        backbone_lr_factor: float = 1.0,
    ) -> None:
        super().__init__(name, bits, backbone)
        self.head = head(in_features=backbone.out_features)
        self.loss = loss
        self.optimizer, self.scheduler, self.backbone_lr_factor = optimizer, scheduler, backbone_lr_factor
        self._is_set_up = False

    def relax(self, features: Tensor) -> Tensor:
        """``(B, K)`` relaxed codes of ``(B, D)`` features."""
        relaxed: Tensor = self.head(features)
        return relaxed

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, K)`` relaxed codes of a batch of images or cached features."""
        return self.relax(self.features(inputs))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Sum of the loss terms, each logged.

        Raises:
            FloatingPointError: A term is NaN or infinite.
        """
        del batch_idx
        relaxed = self(batch.inputs)
        with torch.autocast(self.device.type, enabled=False):
            terms = self.loss(relaxed.float(), batch.labels.float(), batch.rows)
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
        """Backbone at its share of the learning rate, head and loss at the whole."""
        optimizer = self.optimizer([{"params": list(self.head.parameters())}])
        rate: float = optimizer.defaults["lr"]
        own = getattr(self.loss, "param_groups", lambda lr: [{"params": list(self.loss.parameters()), "lr": lr}])(rate)
        backbone = [parameter for parameter in self.backbone.parameters() if parameter.requires_grad]
        for group in [{"params": backbone, "lr": rate * self.backbone_lr_factor}, *own]:
            if group["params"]:
                optimizer.add_param_group(group)
        scheduler = self.scheduler(optimizer, total_steps=int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def setup(self, stage: str) -> None:
        """Let the parts see the training set once, before a checkpoint is restored.

        Raises:
            ValueError: The data give similarities of images and no classes, from which this loss learns.
        """
        del stage
        self.to(memory_format=torch.channels_last)
        if not self._is_set_up:
            given = getattr(self.trainer.datamodule, "similarity", None)  # type: ignore[attr-defined]
            if given is not None and not hasattr(self.loss, "kind"):
                msg = (
                    f"method={self.name} learns from labels, and this data set has a matrix of similarities instead.\n"
                    "  Take a method that compares images by a similarity, such as idhn, dhn or dpsh."
                )
                raise ValueError(msg)
            if given is not None:
                self.loss.kind = given
            for hook in self._hooks("setup"):
                hook(TrainingPass(self))
            self._is_set_up = True

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Steps that are not gradient steps, before an epoch; then continuation schedules.

        Lightning leaves ``on_train_epoch_start`` out in the first epoch of a resumed run.
        """
        del batch
        if batch_idx == 0:
            for hook in self._hooks("on_epoch_start"):
                hook(self.current_epoch, TrainingPass(self))
        for hook in self._hooks("on_step"):
            hook(self.global_step, int(self.trainer.estimated_stepping_batches))

    def on_train_epoch_end(self) -> None:
        """Steps that are not gradient steps, after an epoch."""
        for hook in self._hooks("on_epoch_end"):
            hook(self.current_epoch, TrainingPass(self))

    def _hooks(self, name: str) -> Iterable[Callable[..., None]]:
        return [hook for part in (self.backbone, self.head, self.loss) if (hook := getattr(part, name, None))]
