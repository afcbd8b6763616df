"""A hasher with a moving average of its network, whose codes the loss remembers."""

import copy
from typing import Any

import torch
from torch import Tensor

from softhash.hashers.deep import DeepHasher
from softhash.losses.mdsh import MDSHLoss
from softhash.types import Batch


class MDSHHasher(DeepHasher):
    """The network is trained; the memory bank of the loss holds codes of its moving average.

    Args:
        momentum: Share of the average that stays in each step.
        options: Those of :class:`softhash.hashers.deep.DeepHasher`.

    Raises:
        ValueError: ``momentum`` is not in [0, 1].
    """

    loss: MDSHLoss

    def __init__(self, momentum: float = 0.9, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= momentum <= 1:
            msg = f"momentum must be at least 0 and at most 1, got {momentum}"
            raise ValueError(msg)
        self.momentum = momentum
        self.average = copy.deepcopy(self.encoder).requires_grad_(requires_grad=False)

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted terms of the loss, after the average has encoded the batch."""
        self.loss.bank.write(batch.rows, self.average.relaxed(batch.inputs)[1])
        return super().terms(batch)

    @torch.no_grad()
    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Move the average."""
        current = self.encoder.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[name], 1 - self.momentum)
            else:
                value.copy_(current[name])
        super().on_train_batch_end(outputs, batch, batch_idx)
