import numpy as np
import pytest
import torch

from softhash.functional.codes import pack, unpack
from softhash.functional.hamming import hamming_distance
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.precision_within_radius import PrecisionWithinRadius
from softhash.metrics.transfer_accuracy import TransferAccuracy
from softhash.ranking.relevance import MatrixRelevance
from softhash.runs.folder import Run
from softhash.runs.measure import measure, refuse


def test_the_mean_of_the_scores_by_query_is_the_measured_value(run: Run) -> None:
    per_query = run.per_query()

    for method, scores in run.result().scores.items():
        for metric, value in scores.items():
            assert per_query[f"{method}/{metric}"].shape == (20,)
            assert per_query[f"{method}/{metric}"].mean() == pytest.approx(value["expected"])


def test_measuring_again_changes_nothing(run: Run) -> None:
    before = (run.folder / "metrics.json").read_text()

    measure(run, [MeanAveragePrecision()]).write(run)

    assert (run.folder / "metrics.json").read_text() == before


def test_measuring_writes_nothing_by_itself(encoded: Run) -> None:
    before = sorted(encoded.folder.rglob("*"))

    measure(encoded, [MeanAveragePrecision()])

    assert sorted(encoded.folder.rglob("*")) == before


def test_a_metric_of_codes_stands_beside_the_others(run: Run) -> None:
    measure(run, [TransferAccuracy()]).write(run)

    scores, values = run.result().scores["mine"], run.per_query()["mine/transfer accuracy"]
    assert list(scores) == ["mAP", "WAP", "transfer accuracy"]
    assert set(values) <= {0.0, 1.0}
    assert scores["transfer accuracy"] == dict.fromkeys(("expected", "worst", "best"), values.mean())


def test_the_choices_that_a_number_depends_on_are_stored_with_it(run: Run) -> None:
    measure(run, [MeanAveragePrecision(10, "possible", without_relevant="excluded")]).write(run)

    conventions = run.result().conventions
    assert list(conventions) == ["mAP", "WAP", "mAP(possible)@10 without empty queries"]
    assert conventions["mAP"] == {"top_k": None, "without_relevant": "zero", "normalizer": "retrieved"}
    assert conventions["mAP(possible)@10 without empty queries"] == {
        "top_k": 10, "without_relevant": "excluded", "normalizer": "possible",
    }  # fmt: skip


def test_tables_of_hamming_similarity_are_worth_what_codes_are_and_have_no_radius(run: Run) -> None:
    before, codes = run.result().scores["mine"], run.codes("mine")
    every = pack(unpack(torch.arange(256, dtype=torch.uint8)[:, None], 8).float() - 0.5)
    run.write_codes("mine", codes._replace(query=-hamming_distance(codes.query, every).float()[:, None]))

    measures = measure(run, [MeanAveragePrecision(), PrecisionWithinRadius(2)])

    scores = measures.result.scores
    assert scores["mine"]["mAP"] == pytest.approx(before["mAP"])
    assert set(scores["random"]) - set(scores["mine"]) == {"P@H<=2"}


def test_methods_are_in_the_order_of_the_run(run: Run) -> None:
    assert list(run.result().scores) == ["mine", "random"]


def test_a_cut_off_beyond_the_database_is_refused(encoded: Run) -> None:
    with pytest.raises(ValueError, match="mAP@61 needs a database of at least 61 items, this one has 60"):
        measure(encoded, [MeanAveragePrecision(61)])


def test_a_metric_of_labels_is_refused_where_there_are_none() -> None:
    with pytest.raises(ValueError, match="transfer accuracy needs labels"):
        refuse([TransferAccuracy()], MatrixRelevance(np.eye(3)))


def test_each_method_is_measured_at_its_own_length(run: Run) -> None:
    codes = run.codes("mine")
    run.write_codes("mine", codes._replace(query=codes.query & 15, database=codes.database & 15, bits=4))

    curves = measure(run, [MeanAveragePrecision()]).curves

    assert curves["mine/empty_balls"].shape == (5,)
    assert curves["random/empty_balls"].shape == (9,)
