import json
from pathlib import Path

import numpy as np
import pytest

from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.transfer_accuracy import TransferAccuracy
from softhash.runs.folder import read_arrays, read_json, write_json
from softhash.runs.measure import measure, write_random_codes


def test_the_mean_of_the_values_by_query_is_the_measure(run: Path) -> None:
    rows = read_json(run / "metrics.json")["rows"]
    per_query = read_arrays(run / "per_query.npz")

    for row, values in rows.items():
        for name, value in values.items():
            assert per_query[f"{row}/{name}"].shape == (20,)
            assert per_query[f"{row}/{name}"].mean() == pytest.approx(value["expected"])


def test_measuring_again_changes_nothing(run: Path) -> None:
    before = (run / "metrics.json").read_text()

    measure(run, [MeanAveragePrecision()])

    assert json.loads((run / "metrics.json").read_text()) == json.loads(before)


def test_a_measure_of_more_than_a_ranking_stands_beside_the_others(run: Path) -> None:
    result = measure(run, [TransferAccuracy()])

    assert list(result["rows"]["mine"]) == ["mAP", "WAP", "transfer accuracy"]
    values = read_arrays(run / "per_query.npz")["mine/transfer accuracy"]
    assert set(values) <= {0.0, 1.0}
    assert result["rows"]["mine"]["transfer accuracy"] == dict.fromkeys(("expected", "worst", "best"), values.mean())


def test_the_choices_that_a_number_depends_on_are_stored_with_it(run: Path) -> None:
    measure(run, [MeanAveragePrecision(10, "possible", without_relevant="excluded")])

    conventions = read_json(run / "metrics.json")["conventions"]
    assert list(conventions) == ["mAP", "WAP", "mAP(possible)@10 without empty queries"]
    assert conventions["mAP"] == {"top_k": None, "without_relevant": "zero", "normalizer": "retrieved"}
    assert conventions["mAP(possible)@10 without empty queries"] == {
        "top_k": 10, "without_relevant": "excluded", "normalizer": "possible",
    }  # fmt: skip


def test_rows_are_in_the_order_of_the_run(run: Path) -> None:
    assert list(read_json(run / "metrics.json")["rows"]) == ["mine", "random"]


def test_random_codes_depend_on_the_seed_and_have_no_padding_bits(tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_random_codes(tmp_path / name, 30, 70, bits=12, seed=seed)
        found.append(read_arrays(tmp_path / name / "codes" / "random.npz"))

    np.testing.assert_array_equal(found[0]["database"], found[1]["database"])
    assert not np.array_equal(found[0]["database"], found[2]["database"])
    assert found[0]["query"].shape == (30, 2)
    assert found[0]["query"][:, 1].max() < 16


def test_what_json_cannot_hold_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    write_json(tmp_path / "metrics.json", {"old": 1})

    with pytest.raises(TypeError):
        write_json(tmp_path / "metrics.json", {"new": object()})

    assert read_json(tmp_path / "metrics.json") == {"old": 1}
