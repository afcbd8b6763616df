"""Metrics of the validation images while training."""

from collections.abc import Mapping
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from softhash.callbacks.gathering import Gathering
from softhash.data.base import RetrievalDataModule
from softhash.metrics.base import CodeMetric, RankingMetric
from softhash.metrics.evaluate import evaluate
from softhash.types import Batch, Codes


class ValidationMetrics(Callback):
    """Log ``validation/<metric>`` after every epoch.

    Every validation image is a query against all others. Metrics whose cut-off is not below the number of images are
    skipped, and so are metrics of codes. A hasher with several methods is judged by its first.

    Args:
        metrics: The metrics, by any key.
    """

    def __init__(self, metrics: Mapping[str, RankingMetric | CodeMetric]) -> None:
        self.metrics = [metric for metric in metrics.values() if isinstance(metric, RankingMetric)]
        self._codes = Gathering()

    def setup(self, trainer: Any, pl_module: LightningModule, stage: str) -> None:
        """Refuse to select checkpoints by what is not computed; see :meth:`check`."""
        self.check(trainer, trainer.datamodule)

    def check(self, trainer: Trainer, data: RetrievalDataModule) -> None:
        """Refuse to select checkpoints by what is not computed.

        Raises:
            ValueError: Names the metric that is monitored and those that are computed.
        """
        logged = [f"validation/{metric.name}" for metric in self._computable(len(data.sets["validation"]))]
        for callback in trainer.checkpoint_callbacks:
            monitor = getattr(callback, "monitor", None)
            if monitor and monitor.startswith("validation/") and monitor not in logged:
                msg = (
                    f"monitor={monitor} is not computed on the validation images.\n"
                    f"  Computed are {', '.join(logged)}; metric=[...] chooses metrics."
                )
                raise ValueError(msg)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the codes of the epoch before."""
        self._codes.clear()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the codes of a batch."""
        codes: dict[str, Codes] = outputs
        self._codes.add(codes, batch.rows, ("query", "database"))

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the metrics."""
        method = pl_module.methods[0]
        query, database = self._codes.whole(method, "query"), self._codes.whole(method, "database")
        relevance = trainer.datamodule.relevance("validation", "validation")
        metrics = self._computable(len(query))
        evaluation = evaluate(metrics, query, database, relevance, self._codes.bits[method], exclude_self=True)
        for name, value in evaluation.values().items():
            pl_module.log(f"validation/{name}", value["expected"], prog_bar=name == "mAP")

    def _computable(self, num_validation: int) -> list[RankingMetric]:
        """Metrics whose cut-off leaves a match out; an image is not its own."""
        return [metric for metric in self.metrics if metric.top_k is None or metric.top_k < num_validation]
