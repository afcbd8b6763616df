from collections.abc import Callable

from softhash.data.base import Split
from softhash.report.figures.gallery import FIGURE
from softhash.runs.folder import Run


def test_queries_are_spread_over_the_set(run: Run, split: Callable[[int], Split]) -> None:
    FIGURE.collect(run, split(20), split(60))

    drawing = FIGURE.draw(run)

    assert run.gallery()["query_rows"].tolist() == [0, 2, 5, 8, 10, 13, 16, 19]
    assert drawing.instead.count("<img") == 8 * 11
    assert [row[0] for row in drawing.rows][::10] == ["q0", "q2", "q5", "q8", "q10", "q13", "q16", "q19"]


def test_nothing_is_drawn_without_pictures(run: Run) -> None:
    assert FIGURE.draw(run) == "the run folder has no pictures"
