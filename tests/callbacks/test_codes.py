from types import SimpleNamespace
from typing import Any

import pytest
import torch

from softhash.callbacks.codes import CodeWriter
from softhash.runs.folder import Run
from softhash.types import Batch, Codes


def test_queries_are_written_as_queries_and_the_database_as_items(run: Run) -> None:
    tables, items = torch.rand(20, 1, 256), torch.randint(256, (60, 1), dtype=torch.uint8)
    relaxed = torch.randn(60, 5)
    writer = CodeWriter(str(run.folder))
    hasher: Any = SimpleNamespace(methods=["first", "second"])
    trainer: Any = SimpleNamespace(is_global_zero=True)

    writer.on_test_epoch_start(trainer, hasher)
    for loader, count in enumerate((20, 60)):
        for rows in torch.arange(count).flip(0).split(16):
            query = tables[rows] if loader == 0 else torch.full((len(rows), 1, 256), torch.nan)
            outputs = {"first": Codes(query, items[rows], 5, relaxed[rows])}
            outputs["second"] = Codes(items[rows], items[rows] + 1, 8, relaxed[rows])
            writer.on_test_batch_end(trainer, hasher, outputs, Batch(rows, rows, rows), 0, loader)
    writer.on_test_epoch_end(trainer, hasher)

    first, second = run.codes("first"), run.codes("second")
    assert [first.bits, second.bits] == [5, 8]
    assert torch.equal(first.query, tables)
    assert torch.equal(first.database, items)
    assert torch.equal(first.relaxed, relaxed)
    assert torch.equal(first.relaxed_rows, torch.arange(60))
    assert torch.equal(second.query, items[:20])
    assert torch.equal(second.database, items + 1)


def test_relaxed_codes_are_kept_of_rows_that_are_spread_over_a_large_database(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softhash.runs.folder._RELAXED_ROWS", 4)
    relaxed, items = torch.randn(60, 8), torch.zeros(60, 1, dtype=torch.uint8)
    writer = CodeWriter(str(run.folder))
    hasher: Any = SimpleNamespace(methods=["mine"])
    trainer: Any = SimpleNamespace(is_global_zero=True)

    for loader, count in enumerate((20, 60)):
        for rows in torch.arange(count).split(16):
            outputs = {"mine": Codes(items[rows], items[rows], 8, relaxed[rows])}
            writer.on_test_batch_end(trainer, hasher, outputs, Batch(rows, rows, rows), 0, loader)
    writer.on_test_epoch_end(trainer, hasher)

    codes = run.codes("mine")
    assert codes.relaxed_rows.tolist() == [0, 15, 30, 45]
    assert torch.equal(codes.relaxed, relaxed[[0, 15, 30, 45]])


def test_another_process_than_the_first_writes_nothing(run: Run) -> None:
    before = run.codes("mine")
    writer = CodeWriter(str(run.folder))
    hasher: Any = SimpleNamespace(methods=["mine"])
    trainer: Any = SimpleNamespace(is_global_zero=False)
    rows = torch.arange(2)
    outputs = {"mine": Codes(rows[:, None].byte(), rows[:, None].byte(), 8, torch.zeros(2, 8))}

    for loader in (0, 1):
        writer.on_test_batch_end(trainer, hasher, outputs, Batch(rows, rows, rows), 0, loader)
    writer.on_test_epoch_end(trainer, hasher)

    assert torch.equal(run.codes("mine").query, before.query)
