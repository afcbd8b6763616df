"""The queries that are answered worst, what they find, and why."""

from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from softhash.data.base import Split
from softhash.ranking.relevance import Relevance
from softhash.report.drawing import Drawing, RunFigure
from softhash.report.strips import COLUMNS, distances_to_all, draw_strips, keep_pictures, numbers, strips_html, tiles
from softhash.runs.folder import Run
from softhash.types import Codes

_QUERIES = 6
_FIRST = 100  # images of which the wrong ones are looked at
_NAMED = 3  # labels of the wrong ones, at most


class Worst(RunFigure):
    """By the first metric and the first method; queries to which nothing is relevant are no such queries."""

    name, section, order, wide = "worst", "What it finds", 12, True
    caption = (
        "The queries with the lowest value of the first metric, of those with anything to find, and what they find."
        " The lines above say which labels that the query lacks are on the wrong ones among its first images, how many"
        " images are relevant, and how far the nearest of these is."
    )

    def collect(self, run: Run, query: Split, database: Split) -> None:
        """Keep thumbnails."""
        rows = worst_queries(run, _QUERIES)
        if len(rows):
            keep_pictures(run, self.name, rows, query, database)

    def draw(self, run: Run) -> Drawing | str:
        """A heading and a line for each query."""
        lines, metric = tiles(run, self.name), first_metric(run)
        if not lines or metric is None:
            return "the run folder has no pictures of them"
        rows, names, relevance = run.gallery(self.name)["query_rows"], run.ids()[0], run.relevance
        scores = run.per_query()[f"{run.record().methods[0].name}/{metric}"][rows].tolist()
        answers = explained(run.codes(run.record().methods[0].name), relevance, rows)
        headings = [
            f"{names[row]}, {metric} {score:.4f}. {answer.sentence(relevance.shape[1])}"
            for row, score, answer in zip(rows, scores, answers, strict=True)
        ]
        own = {names[row]: [score, *answer[:-1]] for row, score, answer in zip(rows, scores, answers, strict=True)}
        columns = [
            *COLUMNS,
            metric,
            "relevant images",
            "nearest relevant at",
            "images before it",
            "first",
            "wrong ones",
        ]
        return Drawing(
            draw_strips(lines, headings),
            columns,
            [[*tile, *own[tile[0]]] for tile in numbers(run, self.name)],
            instead=strips_html(lines, headings),
        )


class Answer(NamedTuple):
    """What a query finds.

    Attributes:
        relevant: How many relevant images there are.
        nearest: Distance of the nearest of them, in bits; minus the score where there is no distance.
        before: How many images are nearer than that.
        first: How many of the first images are looked at.
        wrong: How many of these are not relevant.
        labels: Labels of the wrong ones that the query lacks, and how many of them have each; the most frequent first.
    """

    relevant: int
    nearest: float
    before: int
    first: int
    wrong: int
    labels: list[tuple[str, int]]

    def sentence(self, images: int) -> str:
        """All of it in words.

        Args:
            images: Size of the database.
        """
        labels = ", ".join(f"{name} ({count})" for name, count in self.labels[:_NAMED])
        far = (
            f"at {self.nearest} bit{'s' * (self.nearest != 1)}"
            if isinstance(self.nearest, int)
            else f"with a score of {-self.nearest:.2f}"
        )
        before = f"{self.before:,} others are" if self.before != 1 else "1 other is"
        return (
            f"Of the first {self.first} images {self.wrong} are wrong{', most often ' * bool(labels)}{labels}."
            f" {self.relevant:,} of {images:,} are relevant; the nearest comes {far}, {before} nearer."
        )


def first_metric(run: Run) -> str | None:
    """The first metric that has a value for each query; None where there is none."""
    per_query, method = run.per_query(), run.record().methods[0].name
    return next((metric for metric in run.result().metrics if f"{method}/{metric}" in per_query), None)


def worst_queries(run: Run, most: int) -> NDArray[np.int64]:
    """Rows of the queries with the lowest values of the first metric, lowest first, that have something to find."""
    metric = first_metric(run)
    if metric is None:
        return np.empty(0, dtype=np.int64)
    values = run.per_query()[f"{run.record().methods[0].name}/{metric}"]
    items = torch.arange(run.relevance.shape[1])
    by_value = [row for row in np.argsort(values, kind="stable").tolist() if not np.isnan(values[row])]
    findable = (row for row in by_value if run.relevance.between(torch.tensor([row]), items).any())
    return np.array(list(islice(findable, most)), dtype=np.int64)


def explained(codes: Codes, relevance: Relevance, rows: NDArray[np.int64]) -> list[Answer]:
    """What each of some queries finds; images at equal distance are in database order.

    Args:
        codes: Of queries and database.
        relevance: Of the database to the queries.
        rows: ``(n,)`` queries to which something is relevant.
    """
    queries = torch.from_numpy(rows)
    distances = distances_to_all(codes, queries)
    hits = relevance.between(queries, torch.arange(relevance.shape[1])) > 0
    answers = []
    for query, far, hit in zip(queries, distances, hits, strict=True):
        nearest = far[hit].min()
        first = far.argsort(stable=True)[:_FIRST]
        wrong = first[~hit[first]]
        labels: list[tuple[str, int]] = []
        if relevance.labels is not None:
            counts = ((relevance.labels[1][wrong] > 0) & ~(relevance.labels[0][query] > 0)).sum(0)
            order = counts.argsort(descending=True, stable=True).tolist()
            labels = [(relevance.class_names[column], int(counts[column])) for column in order if counts[column]]
        before = int((far < nearest).sum())
        answers.append(Answer(int(hit.sum()), nearest.item(), before, len(first), len(wrong), labels))
    return answers


FIGURE = Worst()
