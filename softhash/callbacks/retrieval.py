"""Retrieval evaluation on validation images during training, and the codes of the trained model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from softhash.functional.distributed import gather_rows
from softhash.metrics.base import CodeMetric, RankingMetric, refuse_without_labels
from softhash.metrics.evaluate import evaluate
from softhash.runs.folder import write_arrays
from softhash.types import Batch

_SAMPLE = 2048  # database rows whose relaxed codes are kept for the statistics of the report


class RetrievalEvaluation(Callback):
    """Measure the codes of validation images while training; keep those of queries and database at the end.

    Validation images are queries and database at once, each one's match with itself left out; measures with
    a cut-off that is not below their number are not computed there, nor those of more than rankings. The final codes
    are written to ``folder/codes/<name of the hasher>.npz``, from which
    :func:`softhash.runs.measure.measure` takes its numbers.

    With several processes, the codes are gathered by row (so rows that a sampler repeats count once) and every
    process evaluates them all: the numbers are those of one process.

    Args:
        metrics: The measures, by any key.
        folder: Run folder.
    """

    def __init__(self, metrics: Mapping[str, RankingMetric | CodeMetric], folder: str) -> None:
        self.metrics = [metric for metric in metrics.values() if isinstance(metric, RankingMetric)]
        self.others = [metric for metric in metrics.values() if isinstance(metric, CodeMetric)]
        self.folder = Path(folder)
        self._encoded: dict[tuple[str, int], list[tuple[Tensor, ...]]] = {}
        self._bits: dict[str, int] = {}

    def setup(self, trainer: Any, pl_module: LightningModule, stage: str) -> None:
        """Refuse, before anything is trained, what could not be measured in the end.

        Raises:
            ValueError: A cut-off is beyond the database, a measure needs labels that the data do not have, or
                checkpoints are selected by a validation measure that is not computed.
        """
        del pl_module, stage
        if trainer.datamodule.matrix is not None:
            refuse_without_labels(self.others)
        for metric in self.metrics:
            metric.check_size(len(trainer.datamodule.sets["database"]))
        logged = [
            f"validation/{metric.name}" for metric in self._computable(len(trainer.datamodule.sets["validation"]))
        ]
        for monitor in [callback.monitor for callback in trainer.checkpoint_callbacks]:
            if monitor and monitor.startswith("validation/") and monitor not in logged:
                msg = (
                    f"monitor={monitor} is not computed on the validation images.\n"
                    f"  Computed are {', '.join(logged)}; metric=[...] chooses measures."
                )
                raise ValueError(msg)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the codes of the epoch before."""
        del trainer, pl_module
        self._encoded = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the codes of a batch, and the relaxed ones of some."""
        del trainer, pl_module, batch_idx
        for method, codes in outputs.items():
            few = codes.relaxed * (batch.rows < _SAMPLE)[:, None]
            kept = batch.rows, codes.query, codes.database, few
            self._encoded.setdefault((method, dataloader_idx), []).append(kept)
            self._bits[method] = codes.bits

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log ``validation/<measure>``."""
        method = pl_module.methods[0]
        query, items, _ = self._gathered(method, 0)
        relevance = trainer.datamodule.relevance("validation", "validation")
        found = evaluate(
            self._computable(len(query)), query.cpu(), items.cpu(), relevance, self._bits[method], exclude_self=True
        )
        for name, value in found.values().items():
            pl_module.log(f"validation/{name}", value["expected"], prog_bar=name == "mAP")

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the codes of the hasher before."""
        del trainer, pl_module
        self._encoded = {}

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the packed codes of a batch, and the relaxed ones of some."""
        self.on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Write the codes of queries and database."""
        for method in pl_module.methods:
            query, _, _ = self._gathered(method, 0)
            _, database, relaxed = self._gathered(method, 1)
            if trainer.is_global_zero:
                write_arrays(
                    self.folder / "codes" / f"{method}.npz",
                    query=query.cpu().numpy(),
                    database=database.cpu().numpy(),
                    relaxed=relaxed[:_SAMPLE].cpu().numpy(),
                    bits=self._bits[method],
                )

    def _computable(self, num_validation: int) -> list[RankingMetric]:
        """Measures whose cut-off leaves a match out; an image is not its own."""
        return [metric for metric in self.metrics if metric.top_k is None or metric.top_k < num_validation]

    def _gathered(self, method: str, loader: int) -> tuple[Tensor, ...]:
        """As queries, as items of a database, and relaxed, in row order."""
        parts = self._encoded[method, loader]
        return gather_rows(*(torch.cat(part) for part in zip(*parts, strict=True)))[1:]
