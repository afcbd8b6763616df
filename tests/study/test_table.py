from collections.abc import Callable

import pytest

from softhash.runs.folder import Run
from softhash.study.collect import Choice, Study, collect
from softhash.study.compare import compare
from softhash.study.table import Block, Style, protocol_of, table_blocks

WriteRun = Callable[..., Run]


def block(study: Study, style: Style, metric: str = "mAP") -> Block:
    comparisons = compare(study, style.reference, style.test)
    (found,) = (one for one in table_blocks(study, comparisons, style) if one.metric == metric)
    return found


def test_the_best_and_the_second_of_each_column(study: Study, style: Style) -> None:
    found = block(study, style)

    assert found.best == {("mine", 16), ("mine", 32)}
    assert found.second == {("other", 16), ("other", 32)}


def test_what_is_printed_alike_is_best_together(write_run: WriteRun, runs: str, style: Style) -> None:
    write_run("a", values=[0.50001] * 4)
    write_run("b", values=[0.49999] * 4)
    write_run("c", values=[0.4] * 4)

    found = block(collect([runs], Choice()), style._replace(reference=None))

    assert found.best == {("a", 16), ("b", 16)}
    assert found.second == {("c", 16)}


def test_nothing_is_best_of_one(write_run: WriteRun, runs: str, style: Style) -> None:
    write_run("a")

    found = block(collect([runs], Choice(methods=["a"])), style._replace(reference=None))

    assert (found.best, found.second) == (set(), set())


def test_what_differs_from_the_reference_is_marked(study: Study, style: Style) -> None:
    rivals = {(method, bits) for method in ("other", "third", "LSH (before training)") for bits in (16, 32)}

    assert block(study, style).marked == rivals
    assert block(study, style._replace(level=1e-12)).marked == set()


def test_without_a_reference_what_is_below_the_best_is_marked(write_run: WriteRun, runs: str, style: Style) -> None:
    write_run("a", values=[0.6, 0.61, 0.62, 0.63])
    write_run("b", values=[0.61, 0.6, 0.62, 0.62])
    write_run("c", values=[0.1, 0.12, 0.13, 0.12])

    found = block(collect([runs], Choice(methods=["a", "b", "c"])), style._replace(reference=None))

    assert found.marked == {("c", 16)}


def test_the_meaning_of_a_mark_names_test_reference_and_correction(study: Study, style: Style) -> None:
    comparisons = compare(study, "mine", "t")

    assert style.meaning(comparisons) == (
        "* differs from mine (p < 0.05; paired t test over queries, Holm's correction for 6 comparisons per metric)"
    )
    assert "Wilcoxon signed-rank test over queries" in style._replace(test="wilcoxon").meaning(comparisons)
    assert "paired t test over seeds" in style._replace(over="seeds", test="wilcoxon").meaning(comparisons)
    assert style.meaning([]) == ""


def test_marks_of_something_else_are_refused(study: Study, style: Style) -> None:
    with pytest.raises(ValueError, match="marks must be queries or seeds, got 'cells'"):
        table_blocks(study, [], style._replace(over="cells"))


def test_the_protocol_in_words(study: Study) -> None:
    assert protocol_of(study, "toy") == "6 queries against 9 images, 40 to train on; protocol c0ffeec0"
