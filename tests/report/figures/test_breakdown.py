import re

import numpy as np
import pytest
import torch

from softhash.ranking.relevance import LabelRelevance
from softhash.report.figures.breakdown import FIGURE
from softhash.runs.folder import Run

NAMES = ["cat", "<b>dog</b>", "tree"]


@pytest.fixture
def graded(run: Run) -> Run:
    """A run of four queries, of which the last has no label, and two metrics; no query has a tree."""
    queries = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=torch.uint8)
    items = torch.zeros(60, 3, dtype=torch.uint8)
    items[:5, 0], items[:2, 2] = 1, 1
    run.write_relevance(LabelRelevance(queries, items, NAMES), np.array(["q"] * 4), np.array(["d"] * 60))
    run.write_per_query(
        {
            "mine/mAP": np.array([0.2, 0.6, 1.0, 0.0]),
            "random/mAP": np.array([0.1, 0.1, 0.3, 0.0]),
            "mine/WAP": np.array([1.0, np.nan, 3.0, 0.0]),
        }
    )
    return run


def test_means_by_label_and_by_number_of_labels_are_those_of_their_queries(graded: Run) -> None:
    drawing = FIGURE.draw(graded)

    assert drawing.columns == ["queries with", "queries", "images of the database", "method", "metric", "mean"]
    numbers = {(row[0], row[3], row[4]): (row[1], row[2], pytest.approx(row[5])) for row in drawing.rows}
    assert numbers == {
        ("cat", "mine", "mAP"): (2, 5, 0.4),
        ("cat", "mine", "WAP"): (2, 5, 1.0),
        ("cat", "random", "mAP"): (2, 5, 0.1),
        ("<b>dog</b>", "mine", "mAP"): (2, 0, 0.8),
        ("<b>dog</b>", "mine", "WAP"): (2, 0, 3.0),
        ("<b>dog</b>", "random", "mAP"): (2, 0, 0.2),
        ("0 labels", "mine", "mAP"): (1, "", 0.0),
        ("0 labels", "mine", "WAP"): (1, "", 0.0),
        ("0 labels", "random", "mAP"): (1, "", 0.0),
        ("1 label", "mine", "mAP"): (2, "", 0.6),
        ("1 label", "mine", "WAP"): (2, "", 2.0),
        ("1 label", "random", "mAP"): (2, "", 0.2),
        ("2 labels", "mine", "mAP"): (1, "", 0.6),
        ("2 labels", "mine", "WAP"): (1, "", pytest.approx(np.nan, nan_ok=True)),
        ("2 labels", "random", "mAP"): (1, "", 0.1),
    }


def test_the_best_label_stands_on_top(graded: Run) -> None:
    axes = FIGURE.draw(graded).figure.axes[0]

    assert [label.get_text() for label in axes.get_yticklabels()] == ["<b>dog</b> (2)", "cat (2)"]
    assert axes.lines[-1].get_xdata() == pytest.approx([0.8, 0.4])  # of the first method, which is drawn last
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_the_table_has_all_metrics_of_the_first_method(graded: Run) -> None:
    lines = re.findall(r"<tr>(.*?)</tr>", FIGURE.draw(graded).below)

    cells = [re.findall(r"<t[hd]>(.*?)</t[hd]>", line) for line in lines]
    assert cells == [
        ["queries with", "queries", "images", "mAP", "WAP"],
        ["&lt;b&gt;dog&lt;/b&gt;", "2", "0", "0.8000", "3.0000"],
        ["cat", "2", "5", "0.4000", "1.0000"],
        ["0 labels", "1", "", "0.0000", "0.0000"],
        ["1 label", "2", "", "0.6000", "2.0000"],
        ["2 labels", "1", "", "0.6000", ""],
    ]


def test_a_run_of_queries_without_labels_still_has_their_number(run: Run) -> None:
    nothing = torch.zeros(20, 3, dtype=torch.uint8)
    run.write_relevance(LabelRelevance(nothing, torch.ones(60, 3, dtype=torch.uint8), NAMES), *run.ids())

    assert {row[0] for row in FIGURE.draw(run).rows} == {"0 labels"}


def test_many_labels_are_drawn_by_number_of_queries_and_all_are_written(run: Run) -> None:
    queries = torch.zeros(20, 50, dtype=torch.uint8)
    queries[0], queries[1, :40] = 1, 1
    relevance = LabelRelevance(queries, torch.ones(60, 50, dtype=torch.uint8), [f"n{i}" for i in range(50)])
    run.write_relevance(relevance, *run.ids())

    drawing = FIGURE.draw(run)

    shown = {label.get_text().partition(" ")[0] for label in drawing.figure.axes[0].get_yticklabels()}
    assert shown == {f"n{i}" for i in range(40)}
    assert {f"n{i}" for i in range(50)} <= {row[0] for row in drawing.rows}


def test_nothing_is_drawn_where_nothing_was_measured_by_query(run: Run) -> None:
    run.write_per_query({})

    assert FIGURE.draw(run) == "no metric has a value for each query"
