from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from softhash.callbacks.speed import Speed
from softhash.types import Batch


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr("softhash.callbacks.speed.time", clock)
    return clock


def test_shares_are_those_of_the_parts_of_an_epoch_and_images_are_of_all_processes(clock: Clock) -> None:
    class Loss(nn.Module):
        def forward(self) -> None:
            clock.now += 1.0

    logged: dict[str, float] = {}
    loss = Loss()
    module: Any = SimpleNamespace(
        loss=loss, device=torch.device("cpu"), log_dict=lambda values, **_: logged.update(values)
    )
    trainer: Any = SimpleNamespace(world_size=2)
    batch = Batch(torch.zeros(8, 1), torch.zeros(8, 1), torch.arange(8))
    speed = Speed()

    speed.on_train_start(trainer, module)
    clock.now += 100.0  # what comes before an epoch
    speed.on_train_epoch_start(trainer, module)
    for index in range(2):
        clock.now += 2.0  # data
        speed.on_train_batch_start(trainer, module, batch, index)
        clock.now += 4.0  # forward
        loss()
        clock.now += 3.0  # gradients
        speed.on_train_batch_end(trainer, module, None, batch, index)
    clock.now += 50.0  # validation
    speed.on_train_epoch_end(trainer, module)
    speed.on_train_end(trainer, module)
    loss()  # nobody listens

    assert logged == pytest.approx(
        {"speed/images_per_second": 2 * 16 / 20, "speed/data": 0.2, "speed/forward": 0.4, "speed/loss": 0.1}
    )
