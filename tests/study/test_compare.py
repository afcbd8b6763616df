from collections.abc import Callable

import numpy as np
import pytest

from softhash.runs.folder import Run
from softhash.study.collect import Cell, Choice, Study, collect
from softhash.study.compare import Comparison, compare, paired_queries, paired_seeds, rank
from softhash.study.significance import holm

WriteRun = Callable[..., Run]
A, B = Cell("toy", "a", 16), Cell("toy", "b", 16)


def two(write_run: WriteRun, runs: str, checksum: Callable[[int], str] = lambda _: "same") -> Study:
    """Methods a and b; b lacks the third seed."""
    for seed, values in enumerate([[0.5, 0.25, 1.0], [0.25, 0.5, 1.0], [1.0, 1.0, 1.0]]):
        write_run("a", seed, values, checksum=checksum(seed))
        if seed < 2:
            write_run("b", seed, [0.25, 0.25, 0.5], checksum=checksum(seed))
    return collect([runs], Choice())


def test_queries_are_averaged_over_the_seeds_that_both_have(write_run: WriteRun, runs: str) -> None:
    first, second = paired_queries(two(write_run, runs), A, B, "mAP")

    assert first.tolist() == [0.375, 0.375, 1.0]
    assert second.tolist() == [0.25, 0.25, 0.5]


def test_means_are_paired_by_seed(write_run: WriteRun, runs: str) -> None:
    first, second = paired_seeds(two(write_run, runs), A, B, "mAP")

    assert first.tolist() == pytest.approx([1.75 / 3, 1.75 / 3])
    assert second.tolist() == pytest.approx([1 / 3, 1 / 3])


def test_other_queries_of_another_seed_are_more_queries(write_run: WriteRun, runs: str) -> None:
    for seed in (0, 1):
        for method, level in (("a", 0.5), ("b", 0.25)):
            run = write_run(method, seed, [level + seed / 4] * 3, checksum=f"of {seed}")
            names = np.array([f"query {seed} {row}" for row in range(3)])
            run.write_relevance(run.relevance, names, run.ids()[1])

    first, second = paired_queries(collect([runs], Choice()), A, B, "mAP")

    assert first.tolist() == [0.5, 0.5, 0.5, 0.75, 0.75, 0.75]
    assert second.tolist() == [0.25, 0.25, 0.25, 0.5, 0.5, 0.5]


def test_a_query_that_is_excluded_is_in_no_pair(write_run: WriteRun, runs: str) -> None:
    write_run("a", values=[0.5, np.nan, 0.75])
    write_run("b", values=[0.25, 0.5, 0.5])

    first, second = paired_queries(collect([runs], Choice()), A, B, "mAP")

    assert (first.tolist(), second.tolist()) == ([0.5, 0.75], [0.25, 0.5])


def of(comparisons: list[Comparison], **wanted: object) -> list[Comparison]:
    return [one for one in comparisons if all(getattr(one, name) == value for name, value in wanted.items())]


def test_a_reference_is_compared_with_all_others_and_never_with_chance(study: Study) -> None:
    found = of(compare(study, "mine", "t"), metric="mAP", over="queries")

    assert [(one.bits, one.first, one.second) for one in found] == [
        (bits, "mine", rival) for bits in (16, 32) for rival in ("other", "third", "LSH (before training)")
    ]


def test_without_a_reference_all_pairs_are_compared(study: Study) -> None:
    found = of(compare(study, None, "t"), metric="mAP", over="queries", bits=16)

    assert len(found) == 6
    assert all(one.effect.difference > 0 for one in found)  # the first stands higher


def test_the_correction_covers_one_metric_and_what_is_paired(study: Study) -> None:
    for metric in ("mAP", "NDCG@4"):
        for over in ("queries", "seeds"):
            family = of(compare(study, "mine", "wilcoxon"), metric=metric, over=over)

            assert len(family) == 6
            assert [one.adjusted for one in family] == holm([one.p for one in family])


def test_a_comparison_by_hand(study: Study) -> None:
    # mine is above other by 0.1 + 0.02 * (0, ..., 5): mean 0.15, all won; of six pairs Wilcoxon's exact p is 2 / 2^6
    (one,) = of(compare(study, "mine", "wilcoxon"), metric="mAP", over="queries", bits=16, second="other")

    assert one.pairs == 6
    assert one.effect.difference == pytest.approx(0.15)
    assert (one.effect.wins, one.effect.losses) == (1.0, 0.0)
    assert one.p == pytest.approx(2 / 64)


def test_a_single_seed_is_not_tested_over_seeds(write_run: WriteRun, runs: str) -> None:
    write_run("a", values=[0.5, 0.25, 0.5])
    write_run("b", values=[0.25, 0.5, 0.25])

    found = compare(collect([runs], Choice()), "a", "t")

    assert {one.over for one in found} == {"queries"}


def test_other_test_sets_are_not_compared(write_run: WriteRun, runs: str) -> None:
    write_run("a", checksum="a", values=[0.5] * 4)
    write_run("b", checksum="b", values=[0.5] * 5)

    study = collect([runs], Choice(mixed=True, methods=["a", "b"]))

    assert compare(study, None, "t") == []


def test_a_test_that_there_is_not_is_refused(study: Study) -> None:
    with pytest.raises(ValueError, match="test must be one of t, wilcoxon, permutation, got 'z'"):
        compare(study, None, "z")


def test_ranks_over_cells_by_hand(study: Study) -> None:
    found = rank(study, "mAP", "cells", 0.05)

    assert found is not None
    assert found.blocks == 4  # two code lengths and two seeds
    assert found.ranks == {"mine": 1.0, "other": 2.0, "third": 3.0, "LSH (before training)": 4.0}
    assert found.left_out == []


def test_ranks_over_queries_are_of_scores_averaged_over_seeds(study: Study) -> None:
    found = rank(study, "mAP", "queries", 0.05)

    assert found is not None
    assert found.blocks == 12  # two code lengths and six queries


@pytest.mark.usefixtures("study")
def test_a_method_that_lacks_a_block_is_not_ranked(write_run: WriteRun, runs: str) -> None:
    write_run("half", 0, [0.9] * 6, bits=16)

    found = rank(collect([runs], Choice()), "mAP", "cells", 0.05)

    assert found is not None
    assert found.left_out == ["half"]


def test_two_methods_are_not_ranked(write_run: WriteRun, runs: str) -> None:
    write_run("a")

    assert rank(collect([runs], Choice()), "mAP", "cells", 0.05) is None


def test_ranks_of_something_else_are_refused(study: Study) -> None:
    with pytest.raises(ValueError, match="ranks must be cells or queries, got 'seeds'"):
        rank(study, "mAP", "seeds", 0.05)
