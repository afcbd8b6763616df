from collections.abc import Callable

import numpy as np
import pytest
import torch

from softhash.data.base import Split
from softhash.functional.codes import pack
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance
from softhash.report.figures.worst import FIGURE, explained, worst_queries
from softhash.runs.folder import Run
from softhash.types import Codes


def far(counts: list[int]) -> torch.Tensor:
    """Codes of 8 bits with as many ones."""
    return pack(torch.tensor([[1.0] * count + [-1.0] * (8 - count) for count in counts]))


def test_the_worst_queries_have_the_lowest_values_and_something_to_find(run: Run) -> None:
    queries = torch.ones(20, 3, dtype=torch.uint8)
    queries[4] = 0
    run.write_relevance(LabelRelevance(queries, torch.ones(60, 3, dtype=torch.uint8), ["a", "b", "c"]), *run.ids())
    values = np.linspace(1, 2, 20)
    values[[4, 7, 2, 9]] = [0.0, 0.3, 0.1, np.nan]
    run.write_per_query({"mine/mAP": values, "mine/WAP": -values})

    assert worst_queries(run, 3).tolist() == [2, 7, 0]
    assert len(worst_queries(run, 50)) == 18


def test_a_query_is_explained_by_what_its_first_images_are() -> None:
    # From near to far: two without the query's label, of which one has b and c, then two with it.
    items = torch.tensor([[0, 1, 1], [0, 1, 0], [1, 1, 0], [1, 0, 0]], dtype=torch.uint8)
    codes = Codes(far([0]), far([1, 2, 4, 4]), 8, torch.empty(0, 8))

    (answer,) = explained(codes, LabelRelevance(torch.tensor([[1, 0, 0]]), items, ["a", "b", "c"]), np.array([0]))

    assert answer == (2, 4, 2, 4, 2, [("b", 2), ("c", 1)])
    assert answer.sentence(4) == (
        "Of the first 4 images 2 are wrong, most often b (2), c (1)."
        " 2 of 4 are relevant; the nearest comes at 4 bits, 2 others are nearer."
    )


def test_similarities_have_no_labels_to_name() -> None:
    codes = Codes(far([0]), far([0, 1]), 8, torch.empty(0, 8))

    (answer,) = explained(codes, MatrixRelevance(np.array([[0.0, 0.5]])), np.array([0]))

    assert answer.sentence(2) == (
        "Of the first 2 images 1 are wrong. 1 of 2 are relevant; the nearest comes at 1 bit, 1 other is nearer."
    )


def test_a_score_is_no_distance_in_bits() -> None:
    tables = -torch.arange(256.0)[None, None].repeat(1, 1, 1) / 4
    codes = Codes(tables, torch.tensor([[1], [6]], dtype=torch.uint8), 8, torch.empty(0, 8))

    (answer,) = explained(codes, MatrixRelevance(np.array([[0.0, 0.5]])), np.array([0]))

    assert "the nearest comes with a score of -1.50" in answer.sentence(2)


def test_pictures_stand_below_what_is_said_of_their_query(run: Run, split: Callable[[int], Split]) -> None:
    FIGURE.collect(run, split(20), split(60))

    drawing = FIGURE.draw(run)

    values = run.per_query()["mine/mAP"]
    findable = [row for row in range(20) if run.relevance.between(torch.tensor([row]), torch.arange(60)).any()]
    worst = np.array(sorted(findable, key=lambda row: values[row])[:6])
    assert run.gallery("worst")["query_rows"].tolist() == worst.tolist()
    for row in worst:
        assert f"q{row}, mAP {values[row]:.4f}. Of the first 60 images" in drawing.instead
    assert drawing.instead.count("<img") == 6 * 11
    rows = [dict(zip(drawing.columns, row, strict=True)) for row in drawing.rows]
    assert [row["query"] for row in rows] == [f"q{row}" for row in worst for _ in range(10)]
    assert rows[0]["mAP"] == pytest.approx(values[worst[0]])
    hits = run.relevance.between(torch.from_numpy(worst[:1]), torch.arange(60)) > 0
    assert rows[0]["relevant images"] == hits.sum()
    assert rows[0]["wrong ones"] == (~hits).sum()


def test_where_no_query_has_anything_to_find_there_are_no_worst_ones(run: Run, split: Callable[[int], Split]) -> None:
    run.write_relevance(MatrixRelevance(np.zeros((20, 60))), *run.ids())

    FIGURE.collect(run, split(20), split(60))

    assert FIGURE.draw(run) == "the run folder has no pictures of them"
