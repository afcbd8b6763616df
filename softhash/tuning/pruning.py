"""What a training reports to the search that it is a trial of."""

from typing import Any, Protocol

from optuna import TrialPruned
from pytorch_lightning import Callback, LightningModule
from pytorch_lightning.trainer.states import TrainerFn

__all__ = ["ReportToTrial", "TrialPruned"]


class Reported(Protocol):
    """A trial as a training sees it."""

    def report(self, value: float, epoch: int) -> None:
        """Store the validation measure of an epoch, counted from 0."""

    def should_prune(self) -> bool:
        """Whether the measures so far are not worth going on."""


class ReportToTrial(Callback):
    """Report the validation measure after each epoch, and end a training that is not worth going on.

    Args:
        trial: Whom to.
        monitor: Name of the measure.
    """

    def __init__(self, trial: Reported, monitor: str) -> None:
        self.trial, self.monitor = trial, monitor

    def on_validation_end(self, trainer: Any, pl_module: LightningModule) -> None:
        """Report; the last epoch is never pruned, as all is done.

        Raises:
            TrialPruned: The trial is not worth going on.
        """
        self.trial.report(float(trainer.callback_metrics[self.monitor]), trainer.current_epoch)
        goes_on = trainer.state.fn == TrainerFn.FITTING and trainer.current_epoch + 1 < trainer.max_epochs
        if goes_on and self.trial.should_prune():
            msg = f"after epoch {trainer.current_epoch}"
            raise TrialPruned(msg)
