from pathlib import Path

import pytest

from softhash.study.collect import Study
from softhash.study.published import Published, all_published, beside

CONFIGS = {path.stem for path in (Path(__file__).parents[2] / "conf" / "data").glob("*.yaml")}


def test_every_number_has_its_protocol_and_source_and_is_of_a_data_set_that_we_have() -> None:
    for number in all_published():
        assert number.protocol
        assert number.source
        assert 0 < number.value < 1
        assert number.data in CONFIGS
        assert number.metric == "mAP" or number.metric.startswith("mAP@")


def test_no_number_stands_twice() -> None:
    keys = [number._replace(value=0.0) for number in all_published()]

    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("method", "data", "bits", "metric", "value"),
    [
        ("idhn", "mirflickr25k", 48, "mAP@1000", 0.828),
        ("idhn", "nuswide21", 12, "mAP@5000", 0.772),
        ("hyp2", "voc2012", 64, "mAP@5717", 0.925),
        ("csq", "coco", 32, "mAP@5000", 0.838),
        ("dhn", "nuswide21", 128, "mAP@5000", 0.8443),
    ],
)
def test_numbers_are_those_of_their_tables(method: str, data: str, bits: int, metric: str, value: float) -> None:
    known = [n.value for n in all_published() if (n.method, n.data, n.bits, n.metric) == (method, data, bits, metric)]

    assert value in known


def test_only_methods_data_sets_and_lengths_of_the_study_are_shown(study: Study) -> None:
    numbers = [
        Published("mine", "toy", 16, "mAP", 0.5, "p", "s"),
        Published("mine", "toy", 32, "mAP@5", 0.6, "p", "s"),
        Published("mine", "toy", 64, "mAP", 0.5, "p", "s"),
        Published("mine", "voc", 16, "mAP", 0.5, "p", "s"),
        Published("csq", "toy", 16, "mAP", 0.5, "p", "s"),
    ]

    lines = beside(study, numbers)

    assert [(one.metric, one.published) for one in lines] == [("mAP", {16: 0.5}), ("mAP@5", {32: 0.6})]
    assert lines[0].ours == {16: pytest.approx(0.671)}
    assert lines[1].ours == {}
