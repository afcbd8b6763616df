"""What is known of the trials of a search."""

from collections.abc import Sequence
from typing import NamedTuple

COMPLETE, PRUNED, FAILED, RUNNING = "complete", "pruned", "failed", "running"


class Tried(NamedTuple):
    """One trial.

    Attributes:
        number: From 0.
        state: Complete, pruned, failed or running.
        values: Of the searched keys, as they are written in an override.
        series: The validation measure after each epoch that was validated, by epoch from 0.
        seconds: From its start to its end, with what it has waited for between; None of one that runs.
        error: Why it has failed.
    """

    number: int
    state: str
    values: dict[str, str]
    series: dict[int, float]
    seconds: float | None
    error: str

    @property
    def value(self) -> float | None:
        """The measure of its best epoch; None where it has none."""
        return max(self.series.values(), default=None)


def best_of(trials: Sequence[Tried]) -> Tried | None:
    """The complete trial of the highest value, the first of several; None where none is complete."""
    complete = [tried for tried in trials if tried.state == COMPLETE and tried.value is not None]
    return max(complete, key=lambda tried: tried.value or 0.0, default=None)
