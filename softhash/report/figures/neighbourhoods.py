"""A map of the codes: which labels are neighbours."""

import numpy as np
import torch
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from softhash.report.drawing import BLUE, COLOURS, GREY, Drawing, RunFigure, panels, short
from softhash.runs.folder import Run

_COMPONENTS = 4
_FLAT = 1e-12  # variance below which values are all alike


class Neighbourhoods(RunFigure):
    """Relaxed codes of the first method on their principal components, two by two."""

    name, section, order, wide = "neighbourhoods", "Codes", 54, True
    caption = (
        "Images of the database (of a large one some, evenly spaced) on the four directions in which their relaxed"
        " codes vary most, two by two. Colour: the rarest of the labels of an image among the six most frequent ones;"
        " grey if it has none of these. Labels that the codes tell apart lie apart."
    )

    def draw(self, run: Run) -> Drawing | str:
        """Two panels."""
        codes, relevance = run.codes(run.record().methods[0].name), run.relevance
        if not len(codes.relaxed):
            return "the run folder has no relaxed codes"
        components, shares = principal_components(codes.relaxed.numpy(), _COMPONENTS)
        if components.shape[1] < 2:
            return "the relaxed codes vary in fewer than two directions"
        rows = codes.relaxed_rows if codes.relaxed_rows is not None else torch.arange(len(codes.relaxed))
        names, colours, groups = ["all"], [BLUE], np.zeros(len(rows), dtype=np.int64)
        if relevance.labels is not None:
            frequent, groups = rarest_of_frequent(relevance.labels[1][rows].numpy() > 0, len(COLOURS))
            names = [*(relevance.class_names[column] for column in frequent), "none of these"]
            colours = [*COLOURS[: len(frequent)], GREY]
        pairs = range(0, components.shape[1] - 1, 2)
        figure, places = panels(4.4, 3.9, len(pairs), aside=2.0)
        order = np.argsort(groups < len(names) - 1, kind="stable")  # grey below the others
        for axes, first in zip(places, pairs, strict=True):
            x, y = components[order, first : first + 2].T
            axes.scatter(x, y, c=[colours[group] for group in groups[order]], s=8, alpha=0.75, linewidths=0)
            axes.set_title(f"Components {first + 1} and {first + 2}")
            axes.set_xlabel(f"component {first + 1} ({shares[first]:.0%} of the variance)")
            axes.set_ylabel(f"component {first + 2} ({shares[first + 1]:.0%})")
        counts = np.bincount(groups, minlength=len(names)).tolist()
        dots = [Line2D([], [], color=colour, marker="o", ls="", ms=5) for colour in colours]
        legend = [f"{short(name)} ({count:,})" for name, count in zip(names, counts, strict=True)]
        figure.legend(dots, legend, loc="center left", bbox_to_anchor=(1 - 2.0 / figure.get_figwidth(), 0.5))
        columns = [f"component {place + 1}" for place in range(components.shape[1])]
        ids = run.ids()[1]
        lines = (
            [ids[row], ", ".join(relevance.describe_item(row)), names[group], *values]
            for row, group, values in zip(rows.tolist(), groups, components, strict=True)
        )
        return Drawing(figure, ["image", "labels", "colour", *columns], lines)


def principal_components(values: NDArray[np.float32], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values on the directions in which they vary most, and the share of the variance that each direction has.

    The sign of a direction is that of its largest entry.

    Args:
        values: ``(n, K)``.
        most: Directions, at most; those without variance are left out.

    Returns:
        ``(n, C)`` and ``(C,)``.
    """
    centred = values.astype(np.float64) - values.mean(0, dtype=np.float64)
    covariance = centred.T @ centred / len(values)
    variances, directions = np.linalg.eigh(covariance)
    order = np.argsort(variances)[::-1][:most]
    order = order[variances[order] > _FLAT]
    directions = directions[:, order]
    directions *= np.sign(directions[np.abs(directions).argmax(0), range(len(order))])
    return centred @ directions, variances[order] / max(_FLAT, variances.sum())


def rarest_of_frequent(labels: NDArray[np.bool_], most: int) -> tuple[list[int], NDArray[np.int64]]:
    """Group images by the rarest of their labels among the most frequent ones.

    Args:
        labels: ``(n, C)``.
        most: How many labels have a group, at most.

    Returns:
        Columns of these labels, the most frequent first; ``(n,)`` numbers of the groups, after the last one for images
        that have none of these labels.
    """
    counts = labels.sum(0)
    frequent = [int(column) for column in np.argsort(-counts, kind="stable")[:most] if counts[column]]
    groups = np.full(len(labels), len(frequent))
    for group, column in enumerate(frequent):
        groups[labels[:, column]] = group
    return frequent, groups


FIGURE = Neighbourhoods()
