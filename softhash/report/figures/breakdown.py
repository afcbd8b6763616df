"""Which queries are hard: a metric by their labels, and by how many they have."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure

from softhash.ranking.breakdown import by_label, by_number_of_labels
from softhash.report.drawing import GREY, Drawing, RunFigure, axes_at, line_styles, short
from softhash.runs.folder import Run

_MOST = 40  # labels in the picture


class Breakdown(RunFigure):
    """The first metric of all methods; all metrics of the first method in a table."""

    name, section, order, wide = "breakdown", "Labels", 35, True
    caption = (
        "Mean over the queries that have a label, the best label of the first method on top (left; a query counts for"
        " each of its labels), and over the queries that have as many labels (right). In brackets and as bars, how many"
        " queries. Of more than 40 labels, those that most queries have. Frequent labels are easy to find: see chance."
    )

    def draw(self, run: Run) -> Drawing | str:
        """Two panels, and a table."""
        relevance, result, per_query = run.relevance, run.result(), run.per_query()
        if relevance.labels is None:
            return "there are similarities in place of labels"
        scores = {
            (method.name, metric): torch.from_numpy(per_query[f"{method.name}/{metric}"])
            for method in result.methods
            for metric in result.metrics
            if f"{method.name}/{metric}" in per_query
        }
        if not scores:
            return "no metric has a value for each query"
        queries, items = relevance.labels
        of_labels = _Groups(
            [*relevance.class_names],
            (queries > 0).sum(0).tolist(),
            {key: by_label(values, queries)[1].tolist() for key, values in scores.items()},
        )
        found, sizes, _ = by_number_of_labels(next(iter(scores.values())), queries)
        of_numbers = _Groups(
            [f"{number} label{'s' * (number != 1)}" for number in found.tolist()],
            sizes.tolist(),
            {key: by_number_of_labels(values, queries)[2].tolist() for key, values in scores.items()},
        )
        first, metric = next(iter(scores))
        styles = {name: style for name, style in line_styles(result.methods).items() if (name, metric) in scores}
        images = (items > 0).sum(0).tolist()
        columns = ["queries with", "queries", "images of the database", "method", "metric", "mean"]
        return Drawing(
            _figure(of_labels, of_numbers, metric, styles),
            columns,
            [*of_labels.rows(images), *of_numbers.rows([""] * len(sizes))],
            below=_table(of_labels, of_numbers, images, first, result.metrics),
        )


class _Groups(NamedTuple):
    """Groups of queries: names, how many queries each has, and their means by method and metric."""

    names: list[str]
    sizes: list[int]
    means: dict[tuple[str, str], list[float]]

    def best_first(self, method: str, metric: str) -> list[int]:
        """Numbers of the groups that have a mean, the largest mean first."""
        means = self.means[method, metric]
        return sorted((i for i, mean in enumerate(means) if not isnan(mean)), key=lambda i: -means[i])

    def rows(self, images: Sequence[object]) -> list[list[object]]:
        """A row for each group, method and metric."""
        return [
            [self.names[i], self.sizes[i], images[i], method, metric, means[i]]
            for i in range(len(self.names))
            for (method, metric), means in self.means.items()
            if self.sizes[i]
        ]


def _figure(of_labels: _Groups, of_numbers: _Groups, metric: str, styles: Mapping[str, dict[str, Any]]) -> Figure:
    """Labels below each other on the left, numbers of labels on the right, and a legend."""
    first = next(iter(styles))
    frequent = sorted(range(len(of_labels.names)), key=lambda i: -of_labels.sizes[i])[:_MOST]
    shown = [i for i in of_labels.best_first(first, metric) if i in frequent]
    height = max(2.6, 0.175 * len(shown))
    figure = Figure(figsize=(10.8, height + 0.9))
    left, right = axes_at(figure, 2.2, 0.5, 4.3, height), axes_at(figure, 7.1, height - 1.9, 3.0, 2.4)
    for place, (method, style) in enumerate(reversed(list(styles.items()))):
        marker = {"marker": "|", "ms": 8, "mew": 1.6} if style.get("ls") else {"marker": "o", "ms": 4.5, "mew": 0}
        means = of_labels.means[method, metric]
        left.plot([means[i] for i in shown], range(len(shown)), **style | marker | {"ls": "", "zorder": 2 + place})
        right.plot(of_numbers.means[method, metric], **style | {"marker": ".", "ms": 6})
    left.set_yticks(
        range(len(shown)), [f"{short(of_labels.names[i])} ({of_labels.sizes[i]:,})" for i in shown], fontsize=8
    )
    left.set(title=f"{metric} by label", xlabel=metric, ylim=(len(shown) - 0.4, -0.6), xlim=(0, None))
    numbers = range(len(of_numbers.names))
    right.set_xticks(numbers, [name.partition(" ")[0] for name in of_numbers.names])
    right.set(title=f"{metric} by number of labels", xlabel="labels of the query", ylim=(0, None))
    right.patch.set_visible(False)  # bars lie behind it
    counts = right.twinx()
    bars = counts.bar(numbers, of_numbers.sizes, color=GREY, alpha=0.25, width=0.6)
    counts.set(ylabel="queries", ylim=(0, 2 * max(of_numbers.sizes)), zorder=right.get_zorder() - 1)
    counts.grid(visible=False)
    counts.spines["right"].set_visible(True)
    handles, labels = left.get_legend_handles_labels()
    keys: list[Any] = [*handles[::-1], bars]
    figure.legend(
        keys,
        [*labels[::-1], "queries"],
        loc="upper left",
        bbox_to_anchor=(6.9 / 10.8, (height - 2.5) / (height + 0.9)),
    )
    return figure


def _table(of_labels: _Groups, of_numbers: _Groups, images: Sequence[int], method: str, metrics: Sequence[str]) -> str:
    """All metrics of a method, a line for each label and for each number of labels."""
    shown = [metric for metric in metrics if (method, metric) in of_labels.means]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("queries with", "queries", "images", *shown))
    lines = []
    for groups, order, counts in (
        (of_labels, of_labels.best_first(method, shown[0]), [f"{count:,}" for count in images]),
        (of_numbers, range(len(of_numbers.names)), [""] * len(of_numbers.names)),
    ):
        for i in order:
            means = [groups.means[method, metric][i] for metric in shown]
            values = "".join("<td></td>" if isnan(mean) else f"<td>{mean:.4f}</td>" for mean in means)
            cells = f"<td>{escape(groups.names[i])}</td><td>{groups.sizes[i]:,}</td><td>{counts[i]}</td>{values}"
            lines.append(f"<tr>{cells}</tr>")
    table = f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return f"<details><summary>All metrics of {escape(method)}</summary>{table}</details>"


FIGURE = Breakdown()
