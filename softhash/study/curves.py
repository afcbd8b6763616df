"""Curves of a study: those of the run folders, averaged over seeds."""

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from softhash.runs.folder import Arrays
from softhash.study.collect import Cell, Source, Study

_NAMES = ("empty_balls", "radius_precision", "radius_recall", "ranks", "rank_precision")


def mean_curves(study: Study, methods: Collection[str]) -> tuple[dict[Cell, Arrays], list[str]]:
    """Curves of each cell of some methods, by name, and a note where files cannot be read.

    Seeds whose databases have other sizes have other curves; those that are like the first are averaged.
    """
    curves: dict[Cell, Arrays] = {}
    unread: set[str] = set()
    for cell, sources in study.cells.items():
        if cell.method in methods:
            of_seeds = list(_read(sources.values(), unread))
            if of_seeds:
                curves[cell] = {name: _mean([one[name] for one in of_seeds if name in one]) for name in of_seeds[0]}
    notes = [f"Curves of {len(unread)} runs cannot be read, and are in no figure: {', '.join(sorted(unread)[:3])}."]
    return curves, notes if unread else []


def _read(sources: Iterable[Source], unread: set[str]) -> Iterable[Arrays]:
    for source in sources:
        try:
            stored = source.run.curves()
        except (ValueError, OSError):
            unread.add(str(source.run.folder))
        else:
            keys = {name: f"{source.name}/{name}" for name in _NAMES}
            yield {name: stored[key] for name, key in keys.items() if key in stored}


def _mean(curves: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    alike = [curve for curve in curves if curve.shape == curves[0].shape]
    return np.asarray(np.mean(alike, axis=0))
