"""Weights & Biases, which goes on offline where it cannot be reached, and takes codes and checkpoint on request."""

import logging
from typing import Any

import wandb
from pytorch_lightning.loggers import WandbLogger as LightningLogger
from pytorch_lightning.utilities import rank_zero_only

from softhash.runs.folder import Run

_log = logging.getLogger(__name__)


class WandbLogger(LightningLogger):
    """Lightning's logger; a run that cannot be sent is kept, and sent later by ``wandb sync``.

    Args:
        artifacts: Also log the codes and the best checkpoint of the run.
        options: Those of Lightning's logger and of ``wandb.init``.
    """

    _is_unreachable = False  # since a run of this process could not be sent

    def __init__(self, *, artifacts: bool, **options: Any) -> None:
        super().__init__(**options)
        self.artifacts = artifacts

    @property
    def experiment(self) -> Any:
        """The run, online or offline; without a key or a network offline, with one warning."""
        if self._is_unreachable:
            self._wandb_init["mode"] = "offline"
        try:
            return super().experiment
        except wandb.Error as error:
            if self._offline or self._is_unreachable:
                raise
            way_on = "The run goes on offline, in its folder; 'wandb login' stores a key, 'wandb sync' sends it."
            _log.warning("wandb: %s\n  %s", str(error).splitlines()[0], way_on)
            WandbLogger._is_unreachable = True
            return self.experiment

    @rank_zero_only
    def log_run(self, run: Run) -> None:
        """Log codes and encoder of a finished run, if that was asked for: what is downloaded is a run folder again."""
        for kind, files in run.artifacts().items() if self.artifacts else ():
            artifact = wandb.Artifact(f"{kind}-{self.experiment.id}", type=kind)
            for path in files:
                artifact.add_file(str(path), name=path.relative_to(run.folder).as_posix())
            self.experiment.log_artifact(artifact)
