"""What a training does when Slurm is about to end its job."""

import logging
import signal
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import distributed

from softhash.functional.generators import generator_states, restore_generators
from softhash.runs.folder import Run
from softhash.slurm import SlurmJob
from softhash.types import Batch

EXIT_CODE = 128 + signal.SIGTERM  # of a run that has not reached its end

_GENERATORS = "softhash_generators"  # in a checkpoint
_log = logging.getLogger(__name__)


class RequeueOnSignal(Callback):
    """In a batch job of Slurm, SIGUSR1 and SIGTERM save the run in the middle of its epoch and requeue the job.

    Slurm sends them before the time limit, and when another job pre-empts this one. The handler only sets a flag; all
    processes agree on it at the end of a batch, so none waits for one that is elsewhere. Lightning leaves a signal
    that has a handler alone, so its own requeue is off. A job that cannot be requeued ends with exit code 143, so
    it never looks complete. Where nothing has to be agreed on (before and after training and test), the job is
    requeued at once. Outside of Slurm, and in an interactive allocation, this callback does nothing.

    Args:
        folder: Run folder; its last checkpoint is replaced.
        max_requeues: How often a job is started again at most; then it ends with exit code 143.
    """

    def __init__(self, folder: str, max_requeues: int = 100) -> None:
        self.run, self.max_requeues = Run(folder), max_requeues
        self.job: SlurmJob | None = None
        self._told = self._meets = self._leaves = self._saves = False
        self._states: dict[str, Any] | None = None

    def listen(self) -> None:
        """Handle the signals from now on."""
        self.job = SlurmJob.current()
        if self.job is not None:
            for number in (signal.SIGUSR1, signal.SIGTERM):
                signal.signal(number, self._handle)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """From now on processes meet."""
        self._meets = True

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """From now on they do not."""
        self._meets = False

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take up the generators of this process, where the checkpoint was saved within an epoch.

        Raises:
            ValueError: It was saved by another number of processes, which had other images.
        """
        states = checkpoint.get(_GENERATORS)
        if states is None:
            return
        if len(states) != trainer.world_size:
            msg = (
                f"{self.run.last} was saved within an epoch by {len(states)} processes, not {trainer.world_size};"
                f" go on with as many, or delete it to begin the run anew"
            )
            raise ValueError(msg)
        self._states = states[trainer.global_rank]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Store the generators of all processes within an epoch; at its end they are seeded anew."""
        if self._saves:
            states: list[dict[str, Any] | None] = [generator_states()]
            if trainer.world_size > 1:
                states = [None] * trainer.world_size
                distributed.all_gather_object(states, generator_states())
            checkpoint[_GENERATORS] = states

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        """Go on with the random numbers of the run that was saved, after the sampler has seeded its own."""
        if self._states is not None:
            restore_generators(self._states)
            self._states = None

    def on_train_batch_end(
        self, trainer: Any, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Save and leave, unless gradients are being accumulated or the epoch is about to be complete."""
        steps = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if self.job is not None and steps and not trainer.is_last_batch and self._all_told(trainer):
            self._saves = True
            trainer.save_checkpoint(self.run.last)
            self._leave_together(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave after the checkpoint of a whole epoch."""
        if trainer.current_epoch and self._all_told(trainer):
            self._leave_together(trainer)

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Leave; what is trained was saved."""
        if self._all_told(trainer):
            self._leave_together(trainer)

    def _all_told(self, trainer: Trainer) -> bool:
        return self.job is not None and trainer.strategy.reduce_boolean_decision(self._told, all=False)

    def _leave_together(self, trainer: Trainer) -> None:
        self._leaves = True
        self._requeue()
        trainer.strategy.barrier()  # where one process ends with an error, Slurm may end all
        raise SystemExit(EXIT_CODE)

    def _handle(self, number: int, frame: object) -> None:
        if self._leaves:
            return
        self._told = True
        if not self._meets and self.job is not None and self.job.is_first_task:
            self._leaves = True
            self._requeue()
            raise SystemExit(EXIT_CODE)

    def _requeue(self) -> None:
        if self.job is not None and self.job.is_first_task:
            if self.job.restarts < self.max_requeues and self.job.requeue():
                _log.info("job %s is requeued; it goes on in %s", self.job.name, self.run.folder)
            else:
                _log.warning("job %s is ended; go on with: softhash train run=%s", self.job.name, self.run.folder)
