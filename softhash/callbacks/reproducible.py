"""Random numbers that a resumed run draws like an uninterrupted one."""

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning import Callback, LightningModule, Trainer


class SeedEachEpoch(Callback):
    """Seed dropout and augmentation at the start of each epoch, by the run's seed, the epoch and the process.

    Lightning does not keep the state of random generators in checkpoints.

    Args:
        seed: Of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed: Lightning leaves ``on_train_epoch_start`` out where it goes on after a whole epoch."""
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed Python, NumPy and torch."""
        del pl_module
        entropy = np.random.SeedSequence([self.seed, trainer.current_epoch, trainer.global_rank])
        pl.seed_everything(int(entropy.generate_state(1)[0]), workers=True, verbose=False)
