"""How fast a training is, and what its time goes into."""

import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.utils.hooks import RemovableHandle

from softhash.types import Batch


class Speed(Callback):
    """Log images per second and shares of time after each epoch: ``speed/images_per_second``, ``speed/data`` and so on.

    ``data`` is waiting for batches; ``forward`` goes from a batch to its loss, ``loss`` is the loss itself; what is
    left are gradients, the step of the optimiser and callbacks. Images are those of all processes. On a GPU, forward
    and loss are measured there, without waiting for it, while data is what the process waits.
    """

    def __init__(self) -> None:
        self._hooks: list[RemovableHandle] = []
        self._start = self._idle = self._waited = 0.0
        self._images = 0
        self._spans: dict[str, list[list[Any]]] = {}

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Listen to the loss, and begin to wait for data: of a resumed epoch nobody says that it starts."""
        self._clear()
        loss = getattr(pl_module, "loss", None)
        if isinstance(loss, torch.nn.Module):
            self._hooks = [
                loss.register_forward_pre_hook(lambda *_: self._mark("forward", "loss", pl_module.device)),
                loss.register_forward_hook(lambda *_: self._mark("loss", None, pl_module.device)),
            ]

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen no more."""
        for hook in self._hooks:
            hook.remove()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to wait for data."""
        self._clear()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """A batch is there."""
        self._waited += time.perf_counter() - self._idle
        self._mark(None, "forward", pl_module.device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Wait for data again."""
        self._images += len(batch.rows)
        self._idle = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the epoch, without its validation."""
        seconds = self._idle - self._start
        if self._images and seconds > 0:
            spent = {"data": self._waited} | {part: sum(map(_between, spans)) for part, spans in self._spans.items()}
            shares = {f"speed/{part}": value / seconds for part, value in spent.items()}
            rate = self._images * trainer.world_size / seconds
            pl_module.log_dict({"speed/images_per_second": rate} | shares, rank_zero_only=True)
        self._clear()

    def _clear(self) -> None:
        self._start = self._idle = time.perf_counter()
        self._waited, self._images = 0.0, 0
        self._spans = {"forward": [], "loss": []}

    def _mark(self, ends: str | None, begins: str | None, device: torch.device) -> None:
        """End a part and begin the next one."""
        now: Any = time.perf_counter()
        if device.type == "cuda":
            now = torch.cuda.Event(enable_timing=True)
            now.record()
        if ends is not None and self._spans[ends]:
            self._spans[ends][-1].append(now)
        if begins is not None:
            self._spans[begins].append([now])


def _between(span: list[Any]) -> float:
    """Seconds from the first mark to the second one."""
    if len(span) < 2:
        return 0.0
    start, end = span[:2]
    if isinstance(start, float):
        return float(end - start)
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3
