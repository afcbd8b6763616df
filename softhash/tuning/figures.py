"""Figures of a search."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from softhash.report.drawing import BLUE, GREY, ORANGE, single
from softhash.tuning.space import Choice, Interval, Space
from softhash.tuning.trials import COMPLETE, FAILED, PRUNED, Tried, best_of

_COLUMNS, _WIDTH, _HEIGHT = 3, 3.4, 2.6  # panels in a row, and inches of one
_WHAT: dict[str, dict[str, Any]] = {COMPLETE: {"color": BLUE, "marker": "o"}, PRUNED: {"color": GREY, "marker": "x"}}


def history(trials: Sequence[Tried], monitor: str) -> Figure:
    """The value of each trial, and the best of those so far."""
    figure, axes = single("Trials in their order", "trial", monitor)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _points(axes, [(tried, tried.number) for tried in trials])
    complete = [tried for tried in trials if tried.state == COMPLETE]
    if complete:
        best = list(accumulate((tried.value or 0.0 for tried in complete), max))
        numbers = [tried.number for tried in complete]
        axes.step([*numbers, len(trials) - 1], [*best, best[-1]], where="post", color=ORANGE, label="best so far")
    failed = [tried.number for tried in trials if tried.state == FAILED]
    if failed:
        bottom = axes.get_xaxis_transform()
        axes.plot(failed, [0.02] * len(failed), "|", color=ORANGE, ms=9, transform=bottom, label=FAILED)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    return figure


def importance(shares: Mapping[str, float]) -> Figure | None:
    """Share of each key in the variance of the values; None where it could not be told."""
    if not shares:
        return None
    figure = Figure(figsize=(5.4, 3.5), layout="constrained")  # names of keys are long
    axes = figure.subplots()
    axes.set(title="Which keys matter", xlabel="share of the variance")
    keys = list(shares)[::-1]
    bars = axes.barh(keys, [shares[key] for key in keys], height=0.5, color=BLUE)
    axes.margins(y=0.5 / len(keys))
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlim(0, 1.12 * max(*shares.values(), 0.1))
    axes.grid(visible=False, axis="y")
    return figure


def slices(trials: Sequence[Tried], space: Space, monitor: str) -> Figure:
    """The value of each trial by that of each key."""
    rows = -(-len(space) // _COLUMNS)
    figure = Figure(figsize=(_WIDTH * _COLUMNS, _HEIGHT * rows), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True)
    for panel in panels.flat[len(space) :]:
        panel.axis("off")
    for panel, (key, values) in zip(panels.flat, space.items(), strict=False):
        tried_with = [tried for tried in trials if key in tried.values]
        panel.set(xlabel=key)
        _points(panel, [(tried, _place(tried.values[key], values)) for tried in tried_with])
        if isinstance(values, Choice):
            panel.set_xticks(range(len(values.texts)), values.texts)
            panel.margins(x=0.2)
        elif values.log:
            panel.set_xscale("log")
            panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            panel.xaxis.set_minor_formatter(NullFormatter())
    for row in panels:
        row[0].set(ylabel=monitor)
    return figure


def curves(trials: Sequence[Tried], monitor: str) -> Figure | None:
    """The measure of each trial after each epoch; None where there is one epoch alone."""
    if not any(len(tried.series) > 1 for tried in trials):
        return None
    figure, axes = single("Trials over epochs", "epoch", monitor)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    best = best_of(trials)
    for tried in trials:
        colour = GREY if tried.state == PRUNED else BLUE
        axes.plot(*_by_epoch(tried), color=colour, lw=0.9, marker=".", ms=3, alpha=0.55, zorder=1)
    if best:
        axes.plot(*_by_epoch(best), color=ORANGE, lw=2.2, label=f"trial {best.number}, the best")
        axes.legend()
    return figure


def _by_epoch(tried: Tried) -> tuple[list[int], list[float]]:
    return [epoch + 1 for epoch in tried.series], list(tried.series.values())


def _points(axes: Axes, places: Sequence[tuple[Tried, float]]) -> None:
    """A point for each trial that has a value."""
    for state, look in _WHAT.items():
        shown = [(place, tried.value) for tried, place in places if tried.state == state and tried.value is not None]
        if shown:
            axes.plot(*zip(*shown, strict=True), ls="", ms=5, label=state, **look)


def _place(text: str, values: Choice | Interval) -> float:
    return float(values.texts.index(text)) if isinstance(values, Choice) else float(text)
