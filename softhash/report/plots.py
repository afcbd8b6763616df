"""Figures of a run."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from softhash.functional.codes import unpack
from softhash.functional.statistics import (
    bit_balance,
    bit_correlation,
    bit_entropy,
    effective_bits,
    fraction_near_zero,
)

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")  # Okabe and Ito
_BASELINES = {"lsh": ("LSH, untrained features", "#E69F00"), "random": ("chance", "#8a8a8a")}
_INK, _MUTED, _SHARED = "#222222", "#8a8a8a", "#00795a"

Curves = Mapping[str, NDArray[Any]]


def read_log(folder: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Everything in the CSV logs of a run: for each name, its steps and values.

    A resumed run has several logs; what it did again counts.
    """
    found: dict[str, dict[float, float]] = {}
    versions = sorted(folder.glob("metrics/version_*/metrics.csv"), key=lambda path: int(path.parent.name[8:]))
    for path in versions:
        with path.open(newline="") as lines:
            for line in csv.DictReader(lines):
                for name, value in line.items():
                    if value and name not in {"step", "epoch"}:
                        found.setdefault(name, {})[float(line["step"])] = float(value)
    return {name: (sorted(values), [values[step] for step in sorted(values)]) for name, values in found.items()}


def loss_figure(log: Mapping[str, tuple[list[float], list[float]]]) -> Figure:
    """Loss terms over optimisation steps."""
    figure, axes = _figure("Loss terms while training", "step", "weighted value")
    names = sorted((name for name in log if name.startswith("train/")), key=lambda name: name != "train/loss")
    for name, colour in zip(names, _COLOURS, strict=False):
        axes.plot(*log[name], color=colour, label=name.removeprefix("train/"), lw=2 if name == "train/loss" else 1.3)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.legend(frameon=False)
    return figure


def validation_figure(log: Mapping[str, tuple[list[float], list[float]]]) -> Figure:
    """Measures on validation images after each epoch: those in [0, 1] on the left, the others on the right."""
    names = [name for name in log if name.startswith("validation/")]
    unbounded = [name for name in names if "ACG" in name or "WAP" in name]
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(1, 2)
    for axes, shown, label in (
        (panels[0], [name for name in names if name not in unbounded], "value in [0, 1]"),
        (panels[1], unbounded, "shared labels"),
    ):
        _style(axes, "", "epoch", label)
        for name, colour in zip(shown, _COLOURS, strict=False):
            values = log[name][1]
            axes.plot(
                range(1, len(values) + 1),
                values,
                color=colour,
                marker=".",
                label=name.removeprefix("validation/"),
            )
        if shown:
            axes.legend(frameon=False)
    figure.suptitle("Validation images, each a query against the others", color=_INK, fontsize=11)
    return figure


def precision_recall_figure(curves: Curves, rows: Sequence[str]) -> Figure:
    """Precision against recall as the Hamming radius grows from 0 to K."""
    figure, axes = _figure("Precision and recall within each Hamming radius", "recall", "precision")
    for row in rows:
        title, colour = _BASELINES.get(row, (row, _COLOURS[0]))
        axes.plot(
            curves[f"{row}/radius_recall"],
            curves[f"{row}/radius_precision"],
            color=colour,
            marker=".",
            label=title,
        )
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
    axes.legend(frameon=False)
    return figure


def precision_at_figure(curves: Curves, rows: Sequence[str]) -> Figure:
    """Precision of the first N, expected over the order of ties."""
    figure, axes = _figure("Precision of the first N images", "N", "precision")
    for row in rows:
        title, colour = _BASELINES.get(row, (row, _COLOURS[0]))
        axes.plot(curves[f"{row}/ranks"], curves[f"{row}/rank_precision"], color=colour, label=title, lw=2)
    axes.set(xscale="log", ylim=(0, 1.01))
    axes.legend(frameon=False)
    return figure


def distance_figure(pairs: NDArray[np.int64]) -> Figure:
    """Distribution of Hamming distance among pairs that share 0, 1, 2, ... labels.

    Args:
        pairs: ``(K + 1, R)`` counts.
    """
    figure, axes = _figure("Hamming distance by number of shared labels", "Hamming distance in bits", "share of pairs")
    shown = [shared for shared in range(pairs.shape[1]) if pairs[:, shared].sum() >= 100] or [0]
    for place, shared in enumerate(shown):
        share = pairs[:, shared] / max(1, pairs[:, shared].sum())
        tone = place / max(1, len(shown) - 1)
        colour = _MUTED if shared == 0 else (0.0, 0.62 - 0.3 * tone, 0.85 - 0.45 * tone)
        axes.fill_between(range(len(share)), share, color=colour, alpha=0.12, lw=0)
        axes.plot(share, color=colour, lw=1.8, label="none" if shared == 0 else str(shared))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, title="shared labels")
    return figure


def bits_figure(codes: NDArray[np.uint8], relaxed: NDArray[np.float32], bits: int) -> Figure:
    """Balance and correlation of the bits of database codes, and the relaxed values that they come from."""
    unpacked = unpack(torch.from_numpy(codes), bits)
    values = torch.from_numpy(relaxed)
    figure = Figure(figsize=(10.8, 3.4), layout="constrained")
    balance, correlation, histogram = figure.subplots(1, 3)
    _style(balance, f"Balance (entropy {bit_entropy(unpacked):.2f} of 1)", "bit", "share of ones")
    balance.bar(range(bits), bit_balance(unpacked).numpy(), color=_COLOURS[0], width=0.8)
    balance.axhline(0.5, color=_INK, lw=0.8, ls="--")
    balance.set_ylim(0, 1)
    _style(correlation, f"Correlation ({effective_bits(unpacked):.1f} effective bits of {bits})", "bit", "bit")
    image = correlation.imshow(bit_correlation(unpacked).numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
    correlation.grid(visible=False)
    figure.colorbar(image, ax=correlation, shrink=0.8)
    near = fraction_near_zero(values)
    _style(histogram, f"Relaxed values ({near:.1%} near 0)", "value before the sign", "values")
    histogram.hist(values.flatten().numpy(), bins=80, color=_COLOURS[0])
    histogram.axvline(0, color=_INK, lw=0.8, ls="--")
    return figure


def gallery_figure(gallery: Mapping[str, NDArray[Any]], labels: Mapping[str, NDArray[Any]]) -> Figure:
    """Queries on the left, their nearest database images on the right; green labels are shared."""
    names = labels["class_names"]
    num_queries, num_found = gallery["neighbour_rows"].shape
    figure = Figure(figsize=(1.25 * (num_found + 1) + 0.3, 2.0 * num_queries))
    grid = figure.add_gridspec(
        num_queries, num_found + 1, left=0.01, right=0.99, top=0.985, bottom=0.03, wspace=0.1, hspace=0.85
    )
    for i in range(num_queries):
        own = labels["query_labels"][gallery["query_rows"][i]].astype(bool)
        axes = figure.add_subplot(grid[i, 0])
        _picture(axes, gallery["query_images"][i], "query", _INK)
        _names(axes, names[own], [_INK] * int(own.sum()))
        for j in range(num_found):
            theirs = labels["database_labels"][gallery["neighbour_rows"][i, j]].astype(bool)
            axes = figure.add_subplot(grid[i, j + 1])
            distance = gallery["distances"][i, j]
            frame = _SHARED if (own & theirs).any() else "#c0392b"
            _picture(
                axes,
                gallery["neighbour_images"][i, j],
                "1 bit" if distance == 1 else f"{distance} bits",
                frame,
            )
            _names(axes, names[theirs], [_SHARED if shared else _MUTED for shared in own[theirs]])
    return figure


def _picture(axes: Axes, image: NDArray[np.uint8], title: str, frame: str) -> None:
    axes.imshow(image.transpose(1, 2, 0))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=7, color=frame, pad=2)
    axes.add_patch(Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, ec=frame, lw=2.5))
    for spine in axes.spines.values():
        spine.set_visible(False)


def _names(axes: Axes, names: Sequence[str], colours: Sequence[str], at_most: int = 4) -> None:
    """Write names of labels below a picture, the coloured ones first."""
    ordered = sorted(zip(names, colours, strict=True), key=lambda pair: pair[1] == _MUTED)
    for line, (name, colour) in enumerate(ordered[:at_most]):
        more = f" +{len(ordered) - at_most}" if line == at_most - 1 and len(ordered) > at_most else ""
        axes.text(
            0.5,
            -0.04 - 0.13 * line,
            f"{name}{more}",
            color=colour,
            fontsize=6.5,
            ha="center",
            va="top",
            transform=axes.transAxes,
        )


def _figure(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.4, 3.6), layout="constrained")
    axes = figure.subplots()
    _style(axes, title, xlabel, ylabel)
    return figure, axes


def _style(axes: Axes, title: str, xlabel: str, ylabel: str) -> None:
    axes.set_title(title, fontsize=11, color=_INK)
    axes.set_xlabel(xlabel, color=_INK)
    axes.set_ylabel(ylabel, color=_INK)
    axes.grid(visible=True, color="#e6e6e6", lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors="#555555", labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#bbbbbb")
