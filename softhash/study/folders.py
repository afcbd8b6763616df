"""Run folders on disk: which there are, and which have a result that can be used."""

import glob
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from softhash.runs.folder import Arrays, Result, Run

_RUN = {"run.json", "metrics.json", "checkpoints"}  # any of them makes a folder that of a run
_BEGUN = ".hydra"  # of a job that was stopped before it wrote anything else
_ORDERS = ("expected", "worst", "best")


class Finished(NamedTuple):
    """A run that can be used.

    Attributes:
        run: Its folder.
        result: What its codes are worth; all values are numbers.
        per_query: ``(Q,)`` float64 expected scores of each query, by ``method/metric``.
    """

    run: Run
    result: Result
    per_query: Arrays


class LeftOut(NamedTuple):
    """A run that is not in the study, and why."""

    folder: Path
    why: str


def find(places: Sequence[str]) -> list[Run]:
    """Folders of runs, finished or not, in and below folders and glob patterns; sorted, each once.

    Raises:
        FileNotFoundError: A place is no folder, or nothing matches it.
    """
    runs: dict[Path, Run] = {}
    for place in places:
        tops = [Path(match) for match in glob.glob(str(Path(place).expanduser()), recursive=True)]  # noqa: PTH207
        folders = [top for top in tops if top.is_dir()]
        if not folders:
            msg = f"runs={place}: there is no such folder. Give a run folder, one that holds runs, or a pattern."
            raise FileNotFoundError(msg)
        for top in folders:
            runs |= {path.resolve(): Run(path) for path in _below(top)}
    return [runs[path] for path in sorted(runs)]


def _below(top: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(top):
        is_run = not _RUN.isdisjoint([*names, *files])
        if is_run or _BEGUN in names:
            yield Path(folder)
        names[:] = [] if is_run else sorted(name for name in names if not name.startswith("."))


def read(runs: Sequence[Run]) -> tuple[list[Finished], list[LeftOut]]:
    """Read results and scores of each query; what cannot be used is left out, with the reason.

    Raises:
        ValueError: Nothing can be used.
    """
    finished, left_out = [], []
    for run in runs:
        try:
            result, per_query = run.result(), run.per_query()
            _check(run, result, per_query)
            finished.append(Finished(run, result, per_query))
        except (ValueError, OSError) as error:
            left_out.append(LeftOut(run.folder, " ".join(str(error).split())))
    if not finished:
        reasons = "".join(f"\n  {folder}: {why}" for folder, why in left_out[:10])
        msg = f"none of the {len(runs)} run folders has a result that can be used{reasons}"
        raise ValueError(msg)
    return finished, left_out


def _check(run: Run, result: Result, per_query: Arrays) -> None:
    """Refuse what is not measured, and numbers that are none.

    Raises:
        ValueError: Says which, and what to do.
    """
    again = f"softhash evaluate run={run.folder} makes it again"
    if not _is_of(result.scores, dict) or not all(_is_of(of_method, dict) for of_method in result.scores.values()):
        msg = f"metrics.json is damaged: its methods have no metrics; {again}"
        raise ValueError(msg)
    if not result.methods:
        msg = f"it has not been measured: softhash train run={run.folder} goes on with it"
        raise ValueError(msg)
    for method in result.methods:
        for metric, value in result.scores[method.name].items():
            if not all(_is_number(value.get(order)) for order in _ORDERS):
                msg = f"metrics.json is damaged: {metric} of {method.name} is no number; {again}"
                raise ValueError(msg)
            scores = per_query.get(f"{method.name}/{metric}")
            if scores is None or scores.shape != (result.record.counts["query"],) or scores.dtype.kind != "f":
                msg = f"per_query.npz has no scores of {metric} of {method.name} for each query; {again}"
                raise ValueError(msg)


def _is_of(mapping: object, kind: type) -> bool:
    """Whether it is a mapping whose values are of a type."""
    return isinstance(mapping, dict) and all(isinstance(value, kind) for value in mapping.values())


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and math.isfinite(value)
