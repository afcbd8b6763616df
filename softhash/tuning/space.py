"""What a search chooses from: several values for each key, in Hydra's grammar of sweeps."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

_OF_A_SEARCH = ("trials", "study", "sampler", "pruner", "space")  # keys that tune has and train has not
_MEASURES = (  # keys without which values of two trials could not be compared
    *("method", "data", "names", "seed", "monitor", "metric", "top_k", "max_images"),
    *("run", "run_dir", "experiment_name", "started", "hydra"),
)


@dataclass(frozen=True)
class Choice:
    """Some values.

    Attributes:
        texts: At least two that differ, as they are written in an override.
    """

    texts: tuple[str, ...]

    def suggest(self, trial: Any, key: str) -> str:
        """Let a trial of optuna choose; give the value as it is written in an override."""
        return self.text(trial.suggest_categorical(key, self.texts))

    def stored(self, value: object) -> str | None:
        """What optuna stores of a configuration's value; None where it is none of these."""
        return str(value) if str(value) in self.texts else None

    def text(self, value: Any) -> str:
        """What optuna has stored, as it is written in an override."""
        return str(value)

    def __str__(self) -> str:
        """The values, for people."""
        return ", ".join(self.texts)


@dataclass(frozen=True)
class Interval:
    """All numbers of a range.

    Attributes:
        low: The smallest; a range of whole numbers has whole ends.
        high: The largest, above ``low``.
        step: Distance of neighbours; None where any number of the range is one of it.
        log: Each factor is as likely, not each difference; ``low`` is positive.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def suggest(self, trial: Any, key: str) -> str:
        """Let a trial of optuna choose; give the value as it is written in an override."""
        if isinstance(self.low, int) and isinstance(self.high, int) and isinstance(self.step, int | None):
            return self.text(trial.suggest_int(key, self.low, self.high, step=self.step or 1, log=self.log))
        return self.text(trial.suggest_float(key, self.low, self.high, step=self.step, log=self.log))

    def stored(self, value: object) -> float | None:
        """What optuna stores of a configuration's value; None where it is no number of the range."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return cast("float", value) if is_number and self.low <= cast("float", value) <= self.high else None

    def text(self, value: Any) -> str:
        """What optuna has stored, as it is written in an override: four digits of a number that may be any."""
        if isinstance(value, int):
            return str(value)
        return repr(float(f"{value:.12g}" if self.step else f"{value:.4g}"))

    def __str__(self) -> str:
        """Both ends, for people."""
        step = "" if self.step is None else f", in steps of {self.step}"
        return f"{self.low} to {self.high}{step}{', logarithmic' if self.log else ''}"


Space = dict[str, Choice | Interval]


def space_of(stored: Mapping[str, object], overrides: Sequence[str]) -> Space:
    """The search space of a configuration, without the keys that are set.

    Args:
        stored: By key the values in Hydra's grammar, such as ``tag(log, interval(0.0001, 0.01))``.
        overrides: Those of the command line.

    Raises:
        ValueError: A key decides what is measured, or its values cannot be read, are none, or are in the wrong order.

    Example:
        >>> space = space_of({"loss.gamma": "0.1,0.2", "optimizer.lr": "interval(0.0, 1.0)"}, ["optimizer.lr=0.5"])
        >>> {key: str(values) for key, values in space.items()}
        {'loss.gamma': '0.1, 0.2'}
    """
    fixed = set(_set(overrides))
    return {key: _values(key, text) for key, text in stored.items() if key not in fixed}


def of_training(overrides: Iterable[str]) -> list[str]:
    """The overrides that ``train`` knows, of those of ``tune``.

    Example:
        >>> of_training(["method=dhn", "trials=9", "pruner=none", "++space={bits: '8,16'}"])
        ['method=dhn']
    """
    return [override for override in overrides if not _is_part(_parsed(override).key_or_group, _OF_A_SEARCH)]


def _set(overrides: Iterable[str]) -> Iterator[str]:
    """Keys to which overrides give a value; those in braces by their dotted names."""
    for override in map(_parsed, overrides):
        yield from _keys(override.key_or_group, override.value())


def _keys(key: str, value: object) -> Iterator[str]:
    yield key
    for name, inner in value.items() if isinstance(value, dict) else []:
        yield from _keys(f"{key}.{name}", inner)


def _is_part(key: str, names: Sequence[str]) -> bool:
    return any(key == name or key.startswith((f"{name}.", f"{name}/")) for name in names)


def _values(key: str, text: object) -> Choice | Interval:
    if _is_part(key, _MEASURES):
        msg = f"{key} cannot be searched: it decides what is measured, so that values could not be compared"
        raise ValueError(msg)
    try:
        override = _parsed(f"{key}={text}")
    except HydraException as error:
        msg = f"the space of {key} cannot be read: {str(error).splitlines()[0]}"
        raise ValueError(msg) from error
    sweep: Any = override.value()
    if isinstance(sweep, IntervalSweep):
        return _interval(key, text, sweep.tags, *cast("tuple[float, float]", (sweep.start, sweep.end)))
    if isinstance(sweep, RangeSweep):
        numbers: list[Any] = [value for value in override.sweep_iterator() if isinstance(value, int | float)]
        first, last = (min(numbers), max(numbers)) if numbers else (0, 0)
        step = abs(sweep.step) if "log" not in sweep.tags else None
        return _interval(key, text, sweep.tags, first, last, step)
    texts = tuple(dict.fromkeys(override.sweep_string_iterator())) if isinstance(sweep, ChoiceSweep) else ()
    if len(texts) < 2 or getattr(sweep, "tags", None):
        raise _refused(key, text, "it takes two values that differ")
    return Choice(texts)


def _interval(key: str, text: object, tags: set[str], low: float, high: float, step: float | None = None) -> Interval:
    if tags - {"log"}:
        raise _refused(key, text, f"log is the only tag, not {', '.join(sorted(tags - {'log'}))}")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise _refused(key, text, "the first end must be below the second")
    if tags and low <= 0:
        raise _refused(key, text, "on a logarithmic scale the first end must be above 0")
    return Interval(low, high, step, log=bool(tags))


def _refused(key: str, text: object, why: str) -> ValueError:
    return ValueError(
        f"the space of {key} is {text}: {why}.\n"
        f"  Write values as {key}=0.1,0.2, or a range as '{key}=interval(0.1,1.0)', '{key}=tag(log,interval(0.1,1.0))'"
        f" or '{key}=range(1,10)'; {key}=VALUE does not search it."
    )


def _parsed(override: str) -> Override:
    return OverridesParser.create().parse_override(override)
