import os
from collections.abc import Callable

import pytest

from softhash.runs.folder import Run
from softhash.study.collect import Cell, Choice, Study, called, collect

WriteRun = Callable[..., Run]


def values(study: Study, method: str, bits: int = 16) -> dict[int, float]:
    return study.values(Cell("toy", method, bits), "mAP")


def test_seeds_of_a_method_are_one_cell_and_a_shared_baseline_counts_once_a_seed(
    write_run: WriteRun, runs: str
) -> None:
    for method in ("idhn", "dhn"):
        for seed in (0, 1):
            write_run(method, seed, [0.5 + seed / 4] * 6, lsh=0.25 + seed / 8)

    study = collect([runs], Choice())

    assert values(study, "idhn") == {0: 0.5, 1: 0.75}
    assert values(study, "LSH (before training)") == {0: 0.25, 1: 0.375}
    assert values(study, "chance") == {0: 0.125, 1: 0.125}
    assert study.left_out == []


def test_other_settings_are_another_line_and_ignored_ones_are_not(write_run: WriteRun, runs: str) -> None:
    write_run("idhn", 0, [0.5] * 6, overrides=["loss.gamma=0.5", "logger=csv"])
    write_run("idhn", 1, [0.7] * 6, overrides=["loss.gamma=0.5", "logger.wandb.name=x"])
    write_run("idhn", 0, [0.9] * 6, overrides=["loss.gamma=2", "logger=wandb"])

    study = collect([runs], Choice(ignore=["logger"]))

    assert values(study, "idhn loss.gamma=0.5") == {0: 0.5, 1: pytest.approx(0.7)}
    assert values(study, "idhn loss.gamma=2") == {0: pytest.approx(0.9)}


def test_baselines_that_differ_say_beside_what_they_were_measured(write_run: WriteRun, runs: str) -> None:
    write_run("idhn", lsh=0.25)
    write_run("dhn", lsh=0.5)

    study = collect([runs], Choice())

    assert values(study, "LSH (before training) beside idhn") == {0: 0.25}
    assert values(study, "LSH (before training) beside dhn") == {0: 0.5}
    assert "chance" in study.methods


def test_of_a_run_that_was_made_twice_the_later_one_counts_and_the_other_is_named(
    write_run: WriteRun, runs: str
) -> None:
    later = write_run("idhn", 0, [0.75] * 6)
    earlier = write_run("idhn", 0, [0.5] * 6)
    os.utime(later.folder / "run.json", (2_000_000_000, 2_000_000_000))
    os.utime(earlier.folder / "run.json", (1_000_000_000, 1_000_000_000))

    study = collect([runs], Choice())

    assert values(study, "idhn") == {0: 0.75}
    ((folder, why),) = study.left_out
    assert folder == earlier.folder
    assert f"idhn on toy, 16 bits, seed 0 was trained again later: {later.folder}" in why


def test_methods_are_sorted_best_first_and_chance_comes_last(write_run: WriteRun, runs: str) -> None:
    write_run("a", values={"mAP": [0.5] * 6, "WAP": [0.1] * 6}, lsh=0.01)
    write_run("b", values={"mAP": [0.4] * 6, "WAP": [0.2] * 6}, lsh=0.01)

    assert collect([runs], Choice()).methods == ["a", "b", "LSH (before training)", "chance"]
    assert collect([runs], Choice(sort="wap")).methods == ["b", "a", "LSH (before training)", "chance"]


@pytest.mark.usefixtures("study")
def test_metrics_and_methods_are_those_that_were_chosen_in_their_order(runs: str) -> None:
    chosen = collect([runs], Choice(metrics=["ndcg@4", "map"], methods=["third", "lsh", "mine"]))

    assert chosen.metrics == ["NDCG@4", "mAP"]
    assert chosen.methods == ["third", "LSH (before training)", "mine"]
    assert {cell.method for cell in chosen.cells} == set(chosen.methods)


@pytest.mark.usefixtures("study")
def test_a_metric_that_no_run_has_is_refused_with_a_close_one(runs: str) -> None:
    with pytest.raises(ValueError, match=r"metrics=ndgc@4: .*Did you mean NDCG@4\? They have mAP, NDCG@4"):
        collect([runs], Choice(metrics=["ndgc@4"]))


@pytest.mark.usefixtures("study")
def test_a_method_that_no_run_has_is_refused(runs: str) -> None:
    with pytest.raises(ValueError, match=r"methods=csq: the runs have no such method. They have .*mine"):
        collect([runs], Choice(methods=["csq"]))


def test_names_are_printed_as_the_user_spells_them_settings_included(write_run: WriteRun, runs: str) -> None:
    write_run("idhn", overrides=["a=1"])
    write_run("idhn", 1, overrides=["a=2"])

    study = collect([runs], Choice(names={"idhn": "IDHN", "toy": "TOY-6"}, methods=["idhn", "chance"]))

    assert set(study.methods) == {"IDHN a=1", "IDHN a=2", "chance"}
    assert study.data == {"TOY-6": "toy"}


def test_lsh_that_was_trained_is_meant_before_the_baseline() -> None:
    titles = {"lsh": "lsh", "LSH (before training)": "LSH (before training)"}

    assert called("lsh", titles, "methods") == ["lsh"]
    assert called("lsh", {"LSH (before training)": "LSH (before training)"}, "methods") == ["LSH (before training)"]


def test_seeds_that_draw_splits_of_their_own_are_noted(write_run: WriteRun, runs: str) -> None:
    for seed in (0, 1):
        write_run("idhn", seed, checksum=f"of {seed}")

    assert any("each seed draws splits of its own" in note for note in collect([runs], Choice()).notes)
