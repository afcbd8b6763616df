from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule

from softhash.callbacks.validation import ValidationMetrics
from softhash.functional.codes import pack
from softhash.metrics.evaluate import evaluate
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.transfer_accuracy import TransferAccuracy
from softhash.ranking.relevance import LabelRelevance
from softhash.types import Batch, Codes


def trainer_of(num_validation: int, monitor: str | None) -> Any:
    data = SimpleNamespace(sets={"validation": range(num_validation)})
    return SimpleNamespace(datamodule=data, checkpoint_callbacks=[SimpleNamespace(monitor=monitor)])


def begin(top_k: int, num_validation: int, monitor: str | None) -> None:
    callback = ValidationMetrics({"map": MeanAveragePrecision(top_k)})
    callback.setup(trainer_of(num_validation, monitor), LightningModule(), "fit")


def test_checkpoints_by_a_metric_that_validation_does_not_have_are_refused() -> None:
    begin(2, 3, monitor="validation/mAP@2")
    begin(3, 3, monitor="train/loss")
    begin(3, 3, monitor=None)
    with pytest.raises(ValueError, match=r"monitor=validation/mAP is not computed.*\n  Computed are validation/mAP@2;"):
        begin(2, 3, monitor="validation/mAP")
    with pytest.raises(ValueError, match="monitor=validation/mAP@3 is not computed"):  # of the three, one is the query
        begin(3, 3, monitor="validation/mAP@3")


def test_validation_images_are_queries_against_the_others_in_any_order_of_batches() -> None:
    labels = torch.randint(2, (30, 4), dtype=torch.uint8)
    codes = pack(torch.randn(30, 8))
    relevance = LabelRelevance(labels, labels)
    metrics = {"map": MeanAveragePrecision(), "cut": MeanAveragePrecision(30), "transfer": TransferAccuracy()}
    callback = ValidationMetrics(metrics)
    logged: dict[str, float] = {}
    hasher: Any = SimpleNamespace(methods=["mine", "other"], log=lambda name, value, **_: logged.update({name: value}))
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(relevance=lambda *_: relevance))

    for _ in range(2):  # an epoch forgets the one before
        callback.on_validation_epoch_start(trainer, hasher)
        for rows in torch.from_numpy(np.random.default_rng(0).permutation(30)).split(7):
            outputs = {"mine": Codes(codes[rows], codes[rows], 8, torch.zeros(len(rows), 8))}
            callback.on_validation_batch_end(trainer, hasher, outputs, Batch(rows, labels[rows], rows), 0)
        callback.on_validation_epoch_end(trainer, hasher)

    expected = evaluate([MeanAveragePrecision()], codes, codes, relevance, 8, exclude_self=True)
    assert logged == {"validation/mAP": expected.values()["mAP"]["expected"]}
