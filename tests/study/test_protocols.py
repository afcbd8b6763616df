from collections.abc import Callable
from dataclasses import replace

import pytest

from softhash.runs.folder import Record, Run
from softhash.study.collect import Choice, collect
from softhash.study.protocols import protocols

WriteRun = Callable[..., Run]


def test_runs_of_one_checksum_are_of_one_protocol(record: Record) -> None:
    runs = [record, replace(record, seed=4), replace(record, method="dhn", overrides=["data.root=/elsewhere"])]

    (protocol,) = protocols(runs)["toy"]

    assert protocol.places == [0, 1, 2]


def test_splits_that_each_seed_draws_are_one_protocol(record: Record) -> None:
    drawn = [replace(record, method=m, seed=s, checksum=f"of seed {s}") for m in ("idhn", "dhn") for s in (0, 1)]

    assert [one.places for one in protocols(drawn)["toy"]] == [[0, 1, 2, 3]]


def test_other_splits_of_the_same_seed_are_another_protocol(record: Record) -> None:
    assert len(protocols([record, replace(record, method="dhn", checksum="other")])["toy"]) == 2


@pytest.mark.parametrize("changes", [{"counts": {"query": 3}}, {"overrides": ["data.num_query=3"]}])
def test_other_counts_or_settings_are_another_protocol_whatever_the_seed(record: Record, changes: dict) -> None:
    other = replace(record, seed=9, checksum="other", **changes)

    assert len(protocols([record, other])["toy"]) == 2


def test_data_sets_are_apart(record: Record) -> None:
    assert set(protocols([record, replace(record, data="voc", checksum="other")])) == {"toy", "voc"}


def test_mixed_protocols_are_refused_with_what_differs_and_which_runs(write_run: WriteRun, runs: str) -> None:
    one = write_run("idhn", checksum="aaaaaaaa1", overrides=["data.num_train=40"])
    few = {"train": 20, "validation": 4, "query": 6, "database": 9}
    other = write_run("dhn", checksum="bbbbbbbb2", overrides=["data.num_train=20"], counts=few)

    with pytest.raises(ValueError, match="the runs on toy have 2 protocols") as refusal:
        collect([runs], Choice())

    lines = str(refusal.value).splitlines()
    assert lines[1].split() == [
        "train",
        "20,",
        "data.num_train=20,",
        "checksum",
        "bbbbbbbb:",
        "1",
        "run",
        f"({other.folder})",
    ]
    assert lines[2].split() == [
        "train",
        "40,",
        "data.num_train=40,",
        "checksum",
        "aaaaaaaa:",
        "1",
        "run",
        f"({one.folder})",
    ]
    assert "mixed=true" in lines[3]


def test_mixed_protocols_that_are_asked_for_have_lines_of_their_own(write_run: WriteRun, runs: str) -> None:
    write_run("idhn", values=[0.5] * 6, checksum="a")
    write_run("idhn", values=[0.75] * 6, checksum="b")

    study = collect([runs], Choice(mixed=True))

    assert {cell.method: [s.scores["mAP"]["expected"] for s in sources.values()] for cell, sources in study.cells.items()} == {
        "idhn (protocol 1)": [0.5], "idhn (protocol 2)": [0.75],
        "LSH (before training) (protocol 1)": [0.25], "LSH (before training) (protocol 2)": [0.25],
        "chance (protocol 1)": [0.125], "chance (protocol 2)": [0.125],
    }  # fmt: skip
    assert any("cannot be compared" in note for note in study.notes)


def test_a_metric_that_means_something_else_in_another_run_is_refused(write_run: WriteRun, runs: str) -> None:
    write_run("idhn", conventions={"mAP": {"normalizer": "retrieved"}})
    write_run("dhn", conventions={"mAP": {"normalizer": "possible"}})

    with pytest.raises(ValueError, match=r"mAP is \{'normalizer': '(retrieved|possible)'\} in .* and"):
        collect([runs], Choice())
