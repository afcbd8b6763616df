"""What the page compares query by query: scores of every query, and pictures of those in the galleries of the runs."""

import base64
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.report.strips import Tile, inline, tiles
from softhash.runs.folder import Run
from softhash.study.collect import Source, Study

_SCORES = 12_000_000  # bytes of scores on a page, at most; with more, metrics are left out from the last one
_PICTURES = 6_000_000  # bytes of pictures on a page, at most
_NEIGHBOURS = 6  # of each query
_STEPS = 65534  # a score is stored as a share of the largest one, in two bytes; the last number means none

Payload = dict[str, Any]


def comparison(study: Study) -> Payload:
    """Everything that the script of the page needs, as JSON takes it.

    ``queries``: by data set, each with its name, labels, seed (where seeds have queries of their own) and picture.
    ``scores``: by data set and code length, method and metric; means over the seeds of a cell. ``finds``: the same way,
    by query, its nearest images. ``pictures`` are numbered.
    """
    metrics = _affordable(study)
    album = _Album()
    queries: Payload = {}
    scores: Payload = {}
    finds: Payload = {}
    for data in study.data:
        cells = {cell: sources for cell, sources in study.cells.items() if cell.data == data}
        starts, described = _queries(cells.values())
        queries[data] = described
        for cell, sources in sorted(cells.items(), key=lambda item: study.methods.index(item[0].method)):
            key = f"{data}, {cell.bits} bits"
            stored = {name: _scores(sources, name, starts, len(described)) for name in metrics}
            scores.setdefault(key, {})[cell.method] = {name: one for name, one in stored.items() if one}
            nearest = _finds(sources, starts, described, album)
            if nearest:
                finds.setdefault(key, {})[cell.method] = nearest
    return {"queries": queries, "scores": scores, "finds": finds, "pictures": album.sources, "metrics": metrics}


def _affordable(study: Study) -> list[str]:
    """Metrics whose scores fit on the page, at least the first."""
    values = sum(
        len(scores) for sources in study.cells.values() for scores in next(iter(sources.values())).per_query.values()
    )
    each = max(1, values * 2 * 4 // 3 // len(study.metrics))
    return study.metrics[: max(1, _SCORES // each)]


def _queries(cells: Iterable[dict[int, Source]]) -> tuple[dict[str, int], list[Payload]]:
    """Where the queries of each test set begin, and all queries one set after the other."""
    first: dict[str, tuple[int, Source]] = {}
    for sources in cells:
        for seed, source in sorted(sources.items()):
            first.setdefault(source.test_set, (seed, source))
    starts: dict[str, int] = {}
    described: list[Payload] = []
    for test_set, (seed, source) in sorted(first.items(), key=lambda item: item[1][0]):
        starts[test_set] = len(described)
        names = _names(source)
        described += [
            {"id": name, "labels": labels, **({"seed": seed} if len(first) > 1 else {})} for name, labels in names
        ]
    return starts, described


def _names(source: Source) -> list[tuple[str, str]]:
    """Name and labels of each query; numbers where the file that has them cannot be read."""
    run = Run(source.run.folder)  # which forgets the labels afterwards
    try:
        return [(str(name), ", ".join(run.relevance.describe_query(row))) for row, name in enumerate(run.ids()[0])]
    except (ValueError, OSError):
        number = len(next(iter(source.per_query.values())))
        return [(f"query {row}", "") for row in range(number)]


def _scores(sources: dict[int, Source], metric: str, starts: dict[str, int], total: int) -> Payload | None:
    """Mean over seeds of each query, in two bytes each; None where nothing is measured."""
    by_set: dict[str, list[NDArray[np.float64]]] = {}
    for source in sources.values():
        if metric in source.per_query:
            by_set.setdefault(source.test_set, []).append(source.per_query[metric])
    if not by_set:
        return None
    values = np.full(total, np.nan)
    for test_set, of_seeds in by_set.items():
        mean = np.mean(of_seeds, axis=0)
        values[starts[test_set] : starts[test_set] + len(mean)] = mean
    largest = float(np.nanmax(values, initial=0.0)) or 1.0
    steps = np.where(np.isnan(values), _STEPS + 1, np.nan_to_num(values) / largest * _STEPS).round().astype("<u2")
    return {"largest": largest, "steps": base64.b64encode(steps.tobytes()).decode()}


class _Album:
    """Pictures of a page, each once.

    Attributes:
        sources: Of all pictures, by number.
    """

    def __init__(self) -> None:
        self.sources: list[str] = []
        self._numbers: dict[bytes, int] = {}
        self._room = _PICTURES

    def number(self, image: NDArray[np.uint8]) -> int | None:
        """Number of a picture; None where there is no room for it."""
        key = image.tobytes()
        if key not in self._numbers:
            source = inline(image)
            if len(source) > self._room:
                return None
            self._room -= len(source)
            self._numbers[key] = len(self.sources)
            self.sources.append(source)
        return self._numbers[key]


def _finds(
    sources: dict[int, Source], starts: dict[str, int], described: list[Payload], album: _Album
) -> dict[str, list[Payload]]:
    """Nearest images by number of the query; a query gets its picture where it has none."""
    found: dict[str, list[Payload]] = {}
    seen: set[str] = set()
    for _, source in sorted(sources.items()):
        if source.test_set not in seen and source.has_gallery:
            with suppress(ValueError, OSError, KeyError, IndexError, TypeError):  # a gallery that cannot be read
                run = Run(source.run.folder)  # which forgets the labels afterwards
                for row, (query, *neighbours) in zip(run.gallery().get("query_rows", ()), tiles(run), strict=True):
                    place = starts[source.test_set] + int(row)
                    described[place].setdefault("picture", album.number(query.image))
                    found[str(place)] = [_neighbour(tile, album) for tile in neighbours[:_NEIGHBOURS]]
                    seen.add(source.test_set)
    return found


def _neighbour(tile: Tile, album: _Album) -> Payload:
    return {
        "picture": album.number(tile.image),
        "title": tile.title,
        "hit": tile.role == "hit",
        "shared": ", ".join(tile.shared),
        "others": ", ".join(tile.others),
    }
