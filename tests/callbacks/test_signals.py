import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from softhash.callbacks.signals import EndTogether

BOTH = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def events() -> Iterator[list[object]]:
    """What happens, where the process has a handler of its own for both signals."""
    happened: list[object] = []
    before = {number: signal.getsignal(number) for number in BOTH}
    for number in BOTH:
        signal.signal(number, lambda number, _: happened.append(number))
    yield happened
    for number in BOTH:
        signal.signal(number, before[number])


@pytest.mark.parametrize("number", BOTH)
@pytest.mark.parametrize("hook", ["on_train_start", "on_test_start"])
def test_workers_end_before_the_handler_of_the_process_is_called_and_nobody_waits(
    hook: str, number: signal.Signals, events: list[object]
) -> None:
    launcher = SimpleNamespace(kill=lambda by: events.append(("workers", by)))
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(launcher=launcher))
    hasher: Any = None
    callback = EndTogether()

    callback.setup(trainer, hasher, "fit")
    signal.signal(number, lambda *_: events.append("Lightning's handler, which waits for all"))
    getattr(callback, hook)(trainer, hasher)
    signal.raise_signal(number)

    assert events == [("workers", signal.SIGKILL), number]


def test_what_a_process_ignores_it_goes_on_ignoring(events: list[object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a worker does
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(launcher=None))
    hasher: Any = None
    callback = EndTogether()

    callback.setup(trainer, hasher, "fit")
    callback.on_train_start(trainer, hasher)
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)

    assert events == [signal.SIGTERM]
