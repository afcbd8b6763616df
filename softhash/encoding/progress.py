"""How far encoding is, and how fast."""

import time
from types import TracebackType

from rich.progress import MofNCompleteColumn, Progress, TextColumn


class Meter:
    """A progress bar that is called with the number of photos that are done.

    Args:
        total: Number of photos.
        shown: Whether there is a bar; else only the rate is measured.

    Attributes:
        rate: Photos per second since the first call; None until it is known.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        rate = TextColumn("{task.fields[rate]}")
        self._bar = Progress(*Progress.get_default_columns(), MofNCompleteColumn(), rate, disable=not shown)
        self._task = self._bar.add_task("photos", total=total, rate="")
        self._begun: tuple[float, int] | None = None
        self.rate: float | None = None

    def __enter__(self) -> "Meter":
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it is."""
        self._bar.stop()

    def __call__(self, done: int) -> None:
        """Show how many are done; those of the first call were done before."""
        now = time.perf_counter()
        if self._begun is None:
            self._begun = (now, done)
            self._bar.reset(self._task, completed=done)
        start, before = self._begun
        if done > before:
            self.rate = (done - before) / (now - start)
            self._bar.update(self._task, completed=done, rate=f"{self.rate:,.0f} images/s")
