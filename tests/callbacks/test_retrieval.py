from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import LightningModule
from softhash.callbacks.retrieval import RetrievalEvaluation

from softhash.data.base import RetrievalSet
from softhash.metrics.mean_average_precision import MeanAveragePrecision


def with_labels(*rows: list[int]) -> RetrievalSet:
    names = torch.arange(len(rows)).numpy().astype(str)
    return RetrievalSet(names, torch.tensor(rows), lambda _: torch.zeros(3, 1, 1), torch.nn.Identity())


def begin(
    folder: Path, top_k: int | None, query: RetrievalSet, database: RetrievalSet, monitor: str | None = None
) -> None:
    sets = {"query": query, "database": database, "validation": database}
    trainer = SimpleNamespace(
        datamodule=SimpleNamespace(sets=sets, similarity=None), checkpoint_callbacks=[SimpleNamespace(monitor=monitor)]
    )
    RetrievalEvaluation({"map": MeanAveragePrecision(top_k)}, str(folder)).setup(trainer, LightningModule(), "test")


def test_a_cut_off_beyond_the_database_is_refused_before_training(tmp_path: Path) -> None:
    query, database = with_labels([1, 0]), with_labels([1, 0], [1, 1])

    begin(tmp_path, 2, query, database)
    with pytest.raises(ValueError, match="mAP@3 needs a database of at least 3 items, this one has 2"):
        begin(tmp_path, 3, query, database)


def test_checkpoints_by_a_measure_that_validation_does_not_have_are_refused(tmp_path: Path) -> None:
    images = with_labels([1, 0], [1, 1], [0, 1])

    begin(tmp_path, 2, images, images, monitor="validation/mAP@2")
    begin(tmp_path, 3, images, images, monitor="train/loss")
    with pytest.raises(ValueError, match=r"monitor=validation/mAP is not computed.*\n  Computed are validation/mAP@2;"):
        begin(tmp_path, 2, images, images, monitor="validation/mAP")
    with pytest.raises(ValueError, match="monitor=validation/mAP@3 is not computed"):  # of the three, one is the query
        begin(tmp_path, 3, images, images, monitor="validation/mAP@3")
