import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from softhash.cli import to_hydra
from softhash.tuning.space import Choice, Interval, of_training, space_of

CONF = Path(__file__).parents[2] / "conf"
SEARCHED = ["idhn", "dhn", "hashnet", "csq", "orthohash", "hyp2", "dpsh"]


def spaces() -> dict[str, dict[str, str]]:
    """The spaces of methods that have one of their own."""
    stored = {path.stem: yaml.safe_load(path.read_text()) for path in (CONF / "method").glob("*.yaml")}
    return {name: config["space"] for name, config in stored.items() if "space" in config}


class Trial:
    """Answers each question by the low end, or by the last of several."""

    def suggest_categorical(self, key: str, choices: tuple[str, ...]) -> str:
        return choices[-1]

    def suggest_float(self, key: str, low: float, high: float, **_: Any) -> float:
        return low

    def suggest_int(self, key: str, low: int, high: int, **_: Any) -> int:
        return low


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.01,0.1,1.0", Choice(("0.01", "0.1", "1.0"))),
        ("choice(adam, sgd)", Choice(("adam", "sgd"))),
        ("[512],[1024,512]", Choice(("[512]", "[1024,512]"))),
        ("{beta:5.0},{gamma:0.3}", Choice(("{beta:5.0}", "{gamma:0.3}"))),
        ("adam,null", Choice(("adam", "null"))),
        ("0.1,0.1,0.2", Choice(("0.1", "0.2"))),
        ("interval(0.0, 0.5)", Interval(0.0, 0.5)),
        ("interval(1, 10)", Interval(1.0, 10.0)),
        ("int(interval(1, 10))", Interval(1, 10)),
        ("tag(log, interval(1e-4, 1e-2))", Interval(1e-4, 1e-2, log=True)),
        ("range(1, 10, 2)", Interval(1, 9, step=2)),
        ("range(9, 0, -3)", Interval(3, 9, step=3)),
        ("range(0, 1, 0.25)", Interval(0.0, 0.75, step=0.25)),
        ("tag(log, range(1, 101))", Interval(1, 100, log=True)),
    ],
)
def test_values_are_read_as_hydra_reads_a_sweep(text: str, values: Choice | Interval) -> None:
    read = space_of({"loss.x": text}, [])["loss.x"]

    assert read == values
    assert [type(end) for end in vars(read).values()] == [type(end) for end in vars(values).values()]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.5", "two values that differ"),
        ("choice(0.5)", "two values that differ"),
        ("0.5,0.5", "two values that differ"),
        ("glob(*)", "two values that differ"),
        (0.5, "two values that differ"),
        ("interval(5, 1)", "first end must be below the second"),
        ("interval(1, 1)", "first end must be below the second"),
        ("range(5, 1)", "first end must be below the second"),
        ("interval(0, inf)", "first end must be below the second"),
        ("tag(log, interval(0, 1))", "first end must be above 0"),
        ("tag(often, interval(0, 1))", "log is the only tag, not often"),
        ("interval(low, 1)", "cannot be read"),
        ("[1,2", "cannot be read"),
        ("choice()", "cannot be read"),
    ],
)
def test_what_is_no_space_is_refused_by_the_name_of_its_key(text: object, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"the space of loss\.x .*{re.escape(reason)}"):
        space_of({"loss.x": text}, [])


@pytest.mark.parametrize(
    "key", ["seed", "data", "data.num_validation", "data/protocol", "monitor", "metric", "top_k", "method", "run"]
)
def test_what_decides_the_measure_is_not_searched(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} cannot be searched: it decides what is measured"):
        space_of({key: "1,2"}, [])


@pytest.mark.parametrize("override", ["loss.x=3", "++loss.x=3", "loss={x:3}"])
def test_a_key_that_is_set_is_not_searched(override: str) -> None:
    assert list(space_of({"loss.x": "1,2", "loss.y": "1,2"}, ["bits=8", override])) == ["loss.y"]


def test_a_number_that_may_be_any_has_four_digits_and_whole_ones_stay_whole() -> None:
    assert Interval(0.0, 1.0).text(0.123456) == "0.1235"
    assert Interval(1e-6, 1.0).text(0.0000123456) == "1.235e-05"
    assert Interval(0.0, 9000.0).text(5000.123) == "5000.0"
    assert Interval(0.0, 1.0, step=0.1).text(0.1 + 0.2) == "0.3"
    assert Interval(1, 100000).text(12345) == "12345"


@pytest.mark.parametrize("values", [Choice(("a", "b")), Interval(1, 3), Interval(0.5, 3.0), Interval(1, 9, step=2)])
def test_what_a_trial_is_given_is_what_is_stored_for_it(values: Choice | Interval) -> None:
    expected = {"Choice": "b", "Interval": str(getattr(values, "low", ""))}[type(values).__name__]

    assert values.suggest(Trial(), "key") == expected


@pytest.mark.parametrize(
    ("values", "value", "stored"),
    [
        (Choice(("cosine", "share")), "share", "share"),
        (Choice(("0.0", "0.1")), 0.1, "0.1"),
        (Choice(("1", "2")), 3, None),
        (Interval(0.5, 2.0), 2, 2),
        (Interval(0.5, 2.0), 2.5, None),
        (Interval(0.0, 2.0), None, None),
        (Interval(0.0, 2.0), True, None),
    ],
)
def test_a_value_of_a_configuration_is_stored_where_it_is_one_of_the_space(
    values: Choice | Interval, value: object, stored: object
) -> None:
    assert values.stored(value) == stored


def test_a_training_is_given_the_overrides_that_it_knows() -> None:
    overrides = ["method=dhn", "trials=3", "study=x", "sampler=random", "pruner.n_warmup_steps=2", "++space={a: '1,2'}"]

    assert of_training([*overrides, "loss.scale=2", "~logger"]) == ["method=dhn", "loss.scale=2", "~logger"]


@pytest.mark.parametrize("name", sorted(spaces()))
def test_the_space_of_a_method_has_keys_that_exist_and_its_own_values(name: str) -> None:
    stored = yaml.safe_load((CONF / "method" / f"{name}.yaml").read_text())

    assert to_hydra(["tune", f"method={name}"])  # every key exists, and takes the first value
    for key, values in space_of(spaces()[name], []).items():
        group, _, last = key.partition(".")
        if isinstance(values, Interval):
            assert values.low <= stored[group][last] <= values.high, key


def test_a_method_of_gradients_without_a_space_has_a_learning_rate() -> None:
    assert "dlch" not in spaces()
    assert to_hydra(["tune", "method=dlch"])


def test_the_methods_that_are_compared_most_have_more_than_a_learning_rate() -> None:
    for name in SEARCHED:
        assert "optimizer.lr" in spaces()[name]
        assert len(spaces()[name]) > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["loss.gama=1,2"], r"loss\.gama: no such option or key\. Did you mean loss\.gamma"),
        (["similarity=cosine,shar"], r"similarity=shar: no such option\. Did you mean share"),
        (["loss.gamma=interval(5,1)"], "the space of loss.gamma is .*first end must be below"),
        (["loss.gamma=0.1", "loss.gamma=1,2"], r"loss\.gamma has one value and is searched as well"),
        (["-m", "loss.gamma=1,2"], "tune starts its trials itself; leave -m away"),
        (["space={loss.gamma:'1,2'}"], "give several values to the key itself"),
        (["batch_size=8,none"], "batch_size must be a whole number"),
        (["trials=0"], "trials must be at least 1, got 0"),
        (["method=itq"], "method=itq has no space to search"),
        (["method=dhn,idhn"], "method cannot be searched"),
        (["optimizer.lr=1", "loss={beta:1.0,gamma:1.0,quantization_weight:1.0}"], "or all of its keys are set"),
        (["pruner=medain"], r"pruner=medain: no such option\. Did you mean median"),
    ],
)
def test_a_space_that_cannot_be_is_refused_before_the_first_trial(arguments: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_hydra(["tune", *arguments])


def test_several_values_on_the_command_line_are_a_space() -> None:
    translated = to_hydra(["tune", "bits=8", "loss.gamma=0.1,0.2", "similarity=share,cosine"])

    assert translated == [
        "--config-name=tune",
        "bits=8",
        "++space={loss.gamma: '0.1,0.2', similarity: 'share,cosine'}",
    ]
