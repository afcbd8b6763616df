"""Figures of a run, from arrays."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from softhash.functional.codes import unpack
from softhash.functional.statistics import (
    bit_balance,
    bit_correlation,
    bit_entropy,
    effective_bits,
    fraction_near_zero,
)
from softhash.report.tables import row_title
from softhash.runs.folder import Series

# Okabe and Ito's colours, which people with any colour vision tell apart.
_BLUE, _ORANGE, _GREY, _INK = "#0072B2", "#D55E00", "#8a8a8a", "#222222"
_COLOURS = (_BLUE, "#E69F00", "#009E73", _ORANGE, "#CC79A7", "#56B4E9")
_MOST_SHARED = 5  # more shared labels than this make one curve
_FEWEST_PAIRS = 100  # for a curve of its own
_FEWEST_QUERIES = 0.5  # share of queries that must find something for a point of the precision-recall curve

_styled = rc_context(
    {
        "font.size": 9.5,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.edgecolor": "#b0b0b0",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.titlesize": 10.5,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "grid.color": "#e8e8e8",
        "grid.linewidth": 0.7,
        "lines.linewidth": 1.8,
        "legend.frameon": False,
        "xtick.color": "#555555",
        "ytick.color": "#555555",
    }
)

Curves = Mapping[str, NDArray[Any]]


@_styled
def loss_figure(log: Mapping[str, Series]) -> Figure:
    """Loss terms over optimisation steps: each value faint, their running mean strong, the total in black."""
    figure, axes = _single("Loss terms while training", "step", "weighted value")
    terms = {name.removeprefix("train/"): series for name, series in log.items() if name.startswith("train/")}
    names = [name for name in terms if name != "loss"]
    colours = dict(zip(names, cycle(_COLOURS), strict=False)) | {"loss": _INK}
    for name in names if len(names) == 1 else terms:  # the sum of one term is that term
        steps, values = terms[name].steps, np.array(terms[name].values)
        axes.plot(steps, values, color=colours[name], lw=0.7, alpha=0.35)
        axes.plot(steps, _running_mean(values), color=colours[name], label="sum" if name == "loss" else name)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.legend()
    return figure


@_styled
def validation_figure(log: Mapping[str, Series]) -> Figure:
    """Measures on validation images over epochs, a panel each; a dot marks the best epoch."""
    found = {name.removeprefix("validation/"): log[name] for name in log if name.startswith("validation/")}
    columns = min(5, len(found))
    lines = -(-len(found) // columns)
    figure = Figure(figsize=(10.8, 0.4 + 2.2 * lines), layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False, sharex=True).flat)
    for axes, (name, series) in zip(panels, found.items(), strict=False):
        epochs, best = [epoch + 1 for epoch in series.epochs], int(np.argmax(series.values))
        axes.plot(epochs, series.values, color=_BLUE)
        axes.plot(epochs[best], series.values[best], "o", color=_ORANGE, ms=5)
        axes.set_title(name)
        axes.set_xlabel(f"epoch (best: {series.values[best]:.3f} at {epochs[best]:.0f})", fontsize=8.5)
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    figure.suptitle("Validation images, each a query against the others", x=0.008, ha="left", fontsize=9.5)
    return figure


@_styled
def precision_recall_figure(curves: Curves, rows: Sequence[str]) -> Figure:
    """Precision against recall as the Hamming radius grows from 0 to K.

    Precision is the mean over queries that find something within the radius; where fewer than half do, there is
    no point.
    """
    figure, axes = _single("Precision and recall within each Hamming radius", "recall", "precision")
    for row, style in _row_styles(rows).items():
        answered = 1 - curves[f"{row}/empty_balls"]
        shown = answered >= _FEWEST_QUERIES
        precision = curves[f"{row}/radius_precision"][shown] / answered[shown]
        axes.plot(curves[f"{row}/radius_recall"][shown], precision, marker=".", ms=5, **style)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
    axes.legend()
    return figure


@_styled
def precision_at_figure(curves: Curves, rows: Sequence[str]) -> Figure:
    """Precision of the first N, expected over the order of ties."""
    figure, axes = _single("Precision of the first N images", "N", "precision")
    for row, style in _row_styles(rows).items():
        axes.plot(curves[f"{row}/ranks"], curves[f"{row}/rank_precision"], **style)
    axes.set(xscale="log", ylim=(0, 1.01))
    axes.legend()
    return figure


@_styled
def distance_figure(curves: Curves, rows: Sequence[str], names: Sequence[str] = ()) -> Figure:
    """Distribution of Hamming distance among pairs that share 0, 1, 2, ... labels, a panel each row of codes.

    The highest numbers make one curve, so that there are few and each is of at least 100 pairs. ``names`` are those of
    the groups of pairs where these are not numbers of shared labels.
    """
    figure = Figure(figsize=(5.4 * len(rows), 3.5), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False, sharex=True)[0], rows, strict=True):
        groups, counts = (names, curves[f"{row}/pairs"]) if names else _group_shared(curves[f"{row}/pairs"])
        distances = np.arange(len(counts))
        colours = [_GREY, *colormaps["YlGnBu"](np.linspace(0.4, 1.0, max(1, len(groups) - 1)))]
        for name, count, colour in zip(groups, counts.T, colours, strict=False):
            if count.sum():
                share = count / count.sum()
                label = f"{name} (mean {share @ distances:.1f})"
                axes.fill_between(distances, share, color=colour, alpha=0.12, lw=0)
                axes.plot(distances, share, color=colour, label=label)
        axes.set(title=row_title(row), xlabel="Hamming distance in bits", ylim=(0, None))
        axes.set_ylabel("share of pairs")
        axes.legend(title=None if names else "shared labels", alignment="left", fontsize=8.5)
    return figure


@_styled
def bits_figure(codes: NDArray[np.uint8], relaxed: NDArray[np.float32], bits: int) -> Figure:
    """Balance and correlation of the bits of database codes, and the relaxed values that they come from."""
    unpacked, values = unpack(torch.from_numpy(codes), bits), torch.from_numpy(relaxed)
    figure = Figure(figsize=(10.8, 3.4), layout="constrained")
    balance, correlation, histogram = figure.subplots(1, 3)

    balance.bar(range(bits), bit_balance(unpacked).numpy(), color=_BLUE, width=0.8)
    balance.axhline(0.5, color=_INK, lw=0.8, ls="--")
    balance.set(title=f"Balance: entropy {bit_entropy(unpacked):.2f} of 1", xlabel="bit", ylabel="share of ones")
    balance.set_ylim(0, 1)

    image = correlation.imshow(bit_correlation(unpacked).numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
    correlation.set(title=f"Correlation: {effective_bits(unpacked):.1f} effective bits of {bits}", xlabel="bit")
    correlation.grid(visible=False)
    figure.colorbar(image, ax=correlation, shrink=0.8).outline.set_visible(False)

    low, high = np.quantile(relaxed, [0.001, 0.999])
    histogram.hist(relaxed.clip(low, high).ravel(), bins=80, color=_BLUE)
    histogram.axvline(0, color=_INK, lw=0.8, ls="--")
    title = f"Relaxed values: {fraction_near_zero(values):.1%} near 0"
    histogram.set(title=title, xlabel="value before the sign", yticks=[])
    return figure


@_styled
def gallery_figure(gallery: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]]) -> Figure:
    """Queries on the left, their nearest database images on the right; labels that are shared are blue."""
    names = labels["class_names"]
    num_queries, num_found = gallery["neighbour_rows"].shape
    side, gap = 1.15, 0.85  # inches: a picture, and the names of labels between two rows of them
    height = num_queries * (side + gap) + 0.2
    figure = Figure(figsize=(1.25 * (num_found + 1), height))
    grid = figure.add_gridspec(
        num_queries,
        num_found + 1,
        left=0.01,
        right=0.99,
        top=1 - 0.25 / height,
        bottom=0.8 / height,
        wspace=0.08,
        hspace=gap / side,
    )
    for i, (query, found) in enumerate(zip(gallery["query_rows"], gallery["neighbour_rows"], strict=True)):
        own = labels["query_labels"][query] > 0
        _picture(figure.add_subplot(grid[i, 0]), gallery["query_images"][i], "query", _INK, names[own], [])
        for j, row in enumerate(found):
            theirs = labels["database_labels"][row] > 0
            _picture(
                figure.add_subplot(grid[i, j + 1]),
                gallery["neighbour_images"][i, j],
                neighbour_title(gallery, names, i, j),
                _BLUE if gallery["relevance"][i, j] > 0 else _ORANGE,
                names[own & theirs],
                names[theirs & ~own],
            )
    return figure


def neighbour_title(gallery: Mapping[str, NDArray[Any]], names: NDArray[np.str_], query: int, place: int) -> str:
    """What stands over an image that a query has found: its distance and, where there are no labels, its similarity."""
    distance, relevance = int(gallery["distances"][query, place]), gallery["relevance"][query, place]
    bits = "1 bit" if distance == 1 else f"{distance} bits"
    return bits if len(names) else f"{bits}, {relevance:.2f}"


def _picture(
    axes: Axes, image: NDArray[np.uint8], title: str, colour: str, strong: Sequence[str], weak: Sequence[str]
) -> None:
    """An image in a frame; below it the names of its labels, at most four."""
    axes.imshow(image.transpose(1, 2, 0))
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.set_title(title, fontsize=8, color=colour, pad=3, loc="center", fontweight="normal")
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=2)
    written = [(name, colour) for name in strong] + [(name, _GREY) for name in weak]
    hidden = len(written) - 4
    below: dict[str, Any] = {"fontsize": 7, "ha": "center", "va": "top", "transform": axes.transAxes}
    for line, (name, tone) in enumerate(written[:4]):
        text = f"{name} +{hidden}" if line == 3 and hidden > 0 else name
        axes.text(0.5, -0.06 - 0.13 * line, text, color=tone, **below)


def _single(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure, axes


def _row_styles(rows: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Line of each row of codes: the method first and strongest, chance last and grey."""
    styles = [{"color": colour, "lw": 1.5} for colour in _COLOURS[1 : len(rows) - 1]]
    lines = [{"color": _BLUE, "lw": 2.2}, *styles, {"color": _GREY, "lw": 1.3, "ls": "--"}]
    return {row: {"label": row_title(row), **line} for row, line in zip(rows, lines, strict=False)}


def _group_shared(pairs: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """Names and ``(K + 1, G)`` counts of groups of pairs by the number of labels that they share."""
    last = min(_MOST_SHARED, pairs.shape[1] - 1)
    while last > 1 and pairs[:, last:].sum() < _FEWEST_PAIRS:
        last -= 1
    counts = np.concatenate([pairs[:, :last], pairs[:, last:].sum(1, keepdims=True)], axis=1)
    open_end = " or more" if pairs[:, last + 1 :].any() else ""
    return ["none", *map(str, range(1, last)), f"{last}{open_end}"][: counts.shape[1]], counts


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each value and its neighbours, a twentieth of the curve to either side, as far as there are any."""
    half = len(values) // 20
    totals = np.concatenate([[0.0], values.cumsum()])
    place = np.arange(len(values))
    start, stop = (place - half).clip(0), (place + half + 1).clip(max=len(values))
    mean: NDArray[np.float64] = (totals[stop] - totals[start]) / (stop - start)
    return mean
