"""Checkpoints that survive a kill, a full disk and a moved folder."""

import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from softhash.storage.atomic import atomic_write


class RunCheckpoint(ModelCheckpoint):
    """Lightning's checkpoints, whose paths are those of the folder where the run lies now.

    A run that was moved or mounted elsewhere still knows which epoch was best.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of an interrupted run."""
        here = {
            name: self._here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path", "last_model_path")
        }
        models = {self._here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(state_dict | here | {"dirpath": self.dirpath, "best_k_models": models})

    def _here(self, path: str) -> str:
        return str(Path(self.dirpath or "") / Path(path).name) if path else path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints are written aside in their own folder, flushed to disk, and then take their place.

    Lightning's are copied from ``$TMPDIR``; a process killed meanwhile leaves half of one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write a checkpoint, whole or not at all.

        Raises:
            OSError: The disk is full; names the file.
        """
        with atomic_write(Path(path)) as aside:
            torch.save(checkpoint, aside)
