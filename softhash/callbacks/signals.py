"""What a signal does to a training of several processes."""

import signal
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class EndTogether(Callback):
    """Where the first process is told to end, its workers end before it does.

    Lightning's own handler makes all processes meet first. One that is told alone, or that is in the middle of another
    meeting, would wait for ever; so the handler that the process had before takes its place.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Remember the handlers of the process, which Lightning has not replaced yet."""
        self._before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def on_train_start(self, trainer: Any, pl_module: LightningModule) -> None:
        """Take the place of Lightning's handler."""
        self._take_over(trainer.strategy.launcher)

    def on_test_start(self, trainer: Any, pl_module: LightningModule) -> None:
        """Take the place of Lightning's handler."""
        self._take_over(trainer.strategy.launcher)

    def _take_over(self, launcher: Any) -> None:
        def end(number: int, frame: Any) -> None:
            if launcher is not None:
                launcher.kill(signal.SIGKILL)  # they write nothing, and may be in a meeting
            self._before[number](number, frame)

        for number, before in self._before.items():
            signal.signal(number, end if callable(before) else before)
