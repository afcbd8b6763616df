"""Which label stands in place of which among the first images."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from torch import Tensor

from softhash.functional.codes import signs, unpack
from softhash.functional.tables import look_up
from softhash.report.drawing import BLUE, INK, Drawing, RunFigure, axes_at, short
from softhash.runs.folder import Run
from softhash.types import Codes

_FIRST = 100  # images of each ranking
_LABELS = 20  # in the figure
_LINES = 15  # pairs in words
_DOUBLINGS = 3  # of chance at which colours end
_PAIRS = 1 << 26  # of queries and items that are compared, about: half a second
_TOGETHER = 1 << 22  # of these in memory


class Confusion(RunFigure):
    """Shares among the first images of the first method, beside those among all images."""

    name, section, order, wide = "confusion", "Labels", 36, True
    caption = (
        "Of the queries that have label a and not b: the share of their first 100 images that have b and not a, so b in"
        " place of a. Left, how many times the share of the whole database, which is chance, that is: red is more, blue"
        " is less. Right, the pairs with the largest shares; a tick marks chance. The 20 labels that most queries have;"
        " images at equal distance in random order."
    )

    def draw(self, run: Run) -> Drawing | str:
        """A matrix, and its largest entries in words."""
        relevance = run.relevance
        if relevance.labels is None:
            return "there are similarities in place of labels"
        queries, items = (labels.numpy() > 0 for labels in relevance.labels)
        counts = queries.sum(0)
        shown = [int(column) for column in np.argsort(-counts, kind="stable")[:_LABELS] if counts[column]]
        if len(shown) < 2:
            return "the queries have fewer than two labels"
        codes, names = run.codes(run.record().methods[0].name), [relevance.class_names[column] for column in shown]
        found, chance, numbers = confusion(codes, queries[:, shown], items[:, shown], _FIRST)
        pairs = [(a, b) for a, b in product(range(len(shown)), repeat=2) if numbers[a, b]]
        if not pairs:
            return "no query has one label and lacks another"
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.log2(found / chance).clip(-_DOUBLINGS, _DOUBLINGS)  # nothing where there is no such item
        most = sorted(pairs, key=lambda pair: -found[pair])[:_LINES]

        labels = [short(name) for name in names]
        side, below = min(4.2, max(2.6, 0.36 * len(shown))), max(0.85, 0.45 + 0.07 * max(map(len, labels)))  # inches
        figure = Figure(figsize=(10.8, side + below + 0.35))
        matrix, bars = axes_at(figure, 1.6, below, side, side), axes_at(figure, 8.8, below, 1.8, side)
        image = matrix.imshow(times, cmap="RdBu_r", vmin=-_DOUBLINGS, vmax=_DOUBLINGS)
        matrix.set_xticks(range(len(shown)), labels, rotation=90, fontsize=8)
        matrix.set_yticks(range(len(shown)), labels, fontsize=8)
        matrix.grid(visible=False)
        matrix.set(title="b in place of a: times chance", xlabel="b", ylabel="a")
        scale = figure.colorbar(image, cax=axes_at(figure, 1.75 + side, below, 0.13, side))
        ticks = range(-_DOUBLINGS, _DOUBLINGS + 1)
        scale.set_ticks(ticks, labels=[f"1/{2**-tick}" if tick < 0 else str(2**tick) for tick in ticks])
        scale.outline.set_visible(False)

        places = range(len(most))
        bars.barh(places, [found[pair] for pair in most], color=BLUE, height=0.6)
        bars.plot([chance[pair] for pair in most], places, "|", color=INK, ms=10, mew=1.8, label="chance")
        bars.set_yticks(places, [f"{short(names[b], 16)} for {short(names[a], 16)}" for a, b in most], fontsize=8)
        bars.set(title="The most frequent ones", xlabel=f"share of the first {min(_FIRST, len(items))}", xlim=(0, None))
        bars.xaxis.set_major_formatter(PercentFormatter(1, 0))
        bars.set_ylim(max(len(most), 6) - 0.5, -0.5)
        bars.legend(*bars.get_legend_handles_labels(), loc="upper right", bbox_to_anchor=(1, -0.5 / side))
        rows = ((names[a], names[b], numbers[a, b], found[a, b], chance[a, b]) for a, b in pairs)
        columns = ["a", "b", "queries with a, not b", "share of the first that has b, not a", "share of the database"]
        return Drawing(figure, columns, rows)


def confusion(
    codes: Codes, queries: NDArray[np.bool_], items: NDArray[np.bool_], first: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """How often images have one label in place of another.

    Of a large set, evenly spaced queries are looked at. Items at equal distance are ranked in a random order, which is
    the same for every query.

    Args:
        codes: Of queries and items.
        queries: ``(Q, C)`` labels.
        items: ``(N, C)`` labels.
        first: How many images of each ranking count.

    Returns:
        For labels a and b, each ``(C, C)``: of queries with a and without b, the mean share of their first images that
        have b and not a, NaN where there is no such query; the share of all items that have b and not a; and how many
        queries these are.
    """
    count = min(len(queries), max(1, _PAIRS // len(items)))
    rows = torch.arange(count) * len(queries) // count
    total = np.zeros((queries.shape[1],) * 2)
    for some, nearest in _nearest(codes, rows, min(first, len(items))):
        asked, got = queries[some][:, None], items[nearest]
        lacking, instead = (asked & ~got).reshape(-1, queries.shape[1]), (got & ~asked).reshape(-1, queries.shape[1])
        total += lacking.astype(np.float32).T @ instead.astype(np.float32)
    looked = queries[rows.numpy()].astype(np.float64)
    numbers = looked.T @ (1 - looked)
    chance = (1 - items).T @ items.astype(np.float64) / len(items)
    with np.errstate(invalid="ignore"):
        return total / numbers / min(first, len(items)), chance, numbers.astype(np.int64)


def _nearest(codes: Codes, rows: Tensor, first: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Some of the queries, ``(q,)``, and their first items, ``(q, first)``."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(codes.database)))
    database = codes.database[order]
    vectors = None if codes.query.ndim == 3 else signs(unpack(database, codes.bits).float()).T
    for some in rows.split(max(1, _TOGETHER // len(database))):
        query = codes.query[some]
        scores = look_up(query, database) if vectors is None else signs(unpack(query, codes.bits).float()) @ vectors
        yield some.numpy(), order[scores.topk(first, dim=1).indices].numpy()


FIGURE = Confusion()
