import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from softhash.config import root
from softhash.tasks.train import built, estimators


def chosen(*overrides: str) -> dict[str, DictConfig]:
    """Configs of the baselines of a job with these overrides."""
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        names = [f"names.{key}={value}" for key, value in (("method", "idhn"), ("data", "digits"))]
        return estimators(compose("train", [*names, *overrides]))


def test_a_baseline_has_the_values_of_the_run() -> None:
    made = chosen("bits=24", "seed=7", "loss.gamma=0.5", "epochs=3")  # the last two are no options of a baseline

    assert made["lsh"] == {"_target_": "softhash.shallow.lsh.LSH", "bits": 24, "center": True, "random_state": 7}


@pytest.mark.parametrize("override", ["baselines=null", "baselines=[]"])
def test_there_may_be_no_baseline(override: str) -> None:
    assert chosen(override) == {}


def test_the_method_of_the_run_is_no_baseline_of_itself() -> None:
    assert chosen("method=lsh", "names.method=lsh") == {}


def test_a_baseline_that_is_trained_is_refused() -> None:
    with pytest.raises(ValueError, match="baselines=dpsh: this method is trained by gradient"):
        chosen("baselines=[lsh,dpsh]")


def test_a_baseline_that_is_no_method_is_refused() -> None:
    with pytest.raises(ValueError, match="baselines=lhs: there is no such method"):
        chosen("baselines=[lhs]")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["cached_views=4"], r"cached_views=4 needs features that do not change: set backbone\.frozen=true"),
        (
            ["cached_views=1", "backbone.frozen=true", "method=cibhash", "names.method=cibhash"],
            "cached_views=1: cibhash compares 2 views of an image; cache that many",
        ),
    ],
)
def test_cached_views_that_cannot_be_are_refused(overrides: list[str], message: str) -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        names = ["names.method=idhn", "names.data=digits", "run_dir=nowhere"]
        config = compose("train", [*names, "data.num_train=20", "logger=csv", *overrides])

    with pytest.raises(ValueError, match=message):
        built(config, [], show=False)
