from dataclasses import replace

import pytest
from hydra import initialize_config_dir

from softhash.config import root
from softhash.runs.folder import Record
from softhash.tasks.evaluate import chosen


@pytest.mark.parametrize(
    ("asked", "names", "top_k"),
    [
        ([], ["map", "recall"], 50),
        (["top_k=20"], ["map", "recall"], 20),
        (["metric=[map,wap]"], ["map", "wap"], 50),
        (["metric=[map]", "top_k=null"], ["map"], None),
    ],
)
def test_what_the_user_does_not_choose_comes_from_the_run(
    asked: list[str], names: list[str], top_k: int | None, record: Record
) -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = chosen(replace(record, metrics=["map", "recall"], top_k=50), ["run=somewhere", *asked])

    assert list(config.metric) == names
    assert config.metric.map.top_k == top_k


def test_arguments_of_metrics_come_from_the_run_and_nothing_else_of_its_overrides(record: Record) -> None:
    overrides = [
        "metric.map.normalizer=possible",
        "metric.map._target_=os.system",
        "metric.map.without_relevant={_target_:os.system}",
        "+metric.evil={_target_:os.system}",
        "hydra.run.dir=elsewhere",
    ]
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = chosen(replace(record, metrics=["map"], overrides=overrides), ["run=somewhere"])

    assert dict(config.metric.map) == {
        "_target_": "softhash.metrics.mean_average_precision.MeanAveragePrecision",
        "top_k": None,
        "normalizer": "possible",
        "without_relevant": "zero",
    }
