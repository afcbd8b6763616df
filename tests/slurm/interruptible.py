"""What tests need in a job of Slurm: a moment at which its training is surely within an epoch."""

import os
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from softhash.callbacks.requeue import RequeueOnSignal

_PATIENCE = 900  # seconds; a test that has failed meanwhile sends none


class WaitForSignal(Callback):
    """When a job is started for the first time, wait at the sixth batch of the second epoch to be told to end."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if (trainer.current_epoch, batch_idx) == (1, 5) and os.environ.get("SLURM_RESTART_COUNT", "0") == "0":
            (requeue,) = (callback for callback in trainer.callbacks if isinstance(callback, RequeueOnSignal))
            Path("waits").touch()
            end = time.monotonic() + _PATIENCE
            while not requeue._told:
                if time.monotonic() > end:
                    msg = "no signal has come"
                    raise TimeoutError(msg)
                time.sleep(0.05)
