"""The codes of a trained hasher, written into its run folder."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from softhash.callbacks.gathering import Gathering
from softhash.runs.folder import Run, rows_with_relaxed
from softhash.types import Batch, Codes

_FIELDS = (("query",), ("database", "relaxed"))  # of queries (loader 0) and database (loader 1)


class CodeWriter(Callback):
    """Write the codes of queries and database at the end of a test, a file per method.

    Args:
        folder: Run folder.
    """

    def __init__(self, folder: str) -> None:
        self.run = Run(folder)
        self._codes = Gathering()

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the codes of the test before."""
        self._codes.clear()

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the codes of a batch."""
        self._codes.add(outputs, batch.rows, _FIELDS[dataloader_idx])

    def on_test_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Write the codes, and the relaxed ones of some items."""
        for method in pl_module.methods:
            query, database, relaxed = (self._codes.whole(method, name) for names in _FIELDS for name in names)
            if trainer.is_global_zero:
                rows = rows_with_relaxed(len(database))
                self.run.write_codes(method, Codes(query, database, self._codes.bits[method], relaxed[rows], rows))
