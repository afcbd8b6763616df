from pathlib import Path

import pytest

from softhash.config import root
from softhash.overrides import check_overrides, readable, value_of


@pytest.mark.parametrize(
    "path",
    [
        "/home/josé/x",
        "/data/日本",
        "/my photos/x",
        "/x(1)/y",
        "/x[2]/y",
        "/x,y/z",
        "/it's/x",
        '/x"y"',
        "/a=b;c!d/e",
        "[v2]/x",
    ],
)
def test_a_path_of_any_letters_is_read_as_typed(path: str) -> None:
    assert value_of(readable(f"data.root={path}")) == path


@pytest.mark.parametrize("argument", ["method=idhn", "metric=[map,ndcg]", "bits=16,32", "+a={b: 1}", "~logger.wandb"])
def test_what_hydra_reads_stays_as_typed(argument: str) -> None:
    assert readable(argument) == argument


@pytest.mark.parametrize("argument", ["bits=[16", "+a={b: 1", "name='a", "seed=rang(3)", "é=3", "method"])
def test_what_was_begun_but_not_closed_is_no_text(argument: str) -> None:
    with pytest.raises(ValueError, match="cannot read"):
        readable(argument)


def test_commas_between_paths_make_a_sweep_of_a_multirun() -> None:
    assert readable("data.root=/a/b,/a/c", multirun=True) == "data.root=/a/b,/a/c"
    with pytest.raises(ValueError, match="in quotes"):
        readable("data.root=/a/é,/a/c", multirun=True)


def test_the_error_of_a_correct_command_is_none() -> None:
    check_overrides("train", ["method=dhn", "bits=16,32", "trainer=ddp", "trainer.devices=4"], multirun=True)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("bits=abc", "bits must be a whole number, got 'abc'"),
        ("bits=1.5", "bits must be a whole number, got 1.5"),
        ("bits=true", "bits must be a whole number, got True"),
        ("bits=null", "bits must be a whole number, got None"),
        ("bits=0", "bits must be at least 1, got 0"),
        ("epochs=-1", "epochs must be at least 0, got -1"),
        ("epochs=1.5", "epochs must be a whole number, got 1.5"),
        ("seed=1.5", "seed must be a whole number, got 1.5"),
        ("top_k=abc", "top_k must be a whole number or null, got 'abc'"),
        ("top_k=0", "top_k must be at least 1 or null, got 0"),
        ("metric=[]", r"metric=\[\] leaves nothing to measure; name at least one"),
    ],
)
def test_a_value_that_no_task_could_use_is_refused_by_name(argument: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        check_overrides("train", [argument])


@pytest.mark.parametrize("argument", ["bits=8,abc", "bits=8,1.5", "seed=range(2,-2,-1)"])
def test_every_value_of_a_sweep_is_looked_at_before_its_first_job(argument: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        check_overrides("train", [argument], multirun=True)


@pytest.mark.parametrize("argument", ["bits=16,32", "seed=range(3)"])
def test_several_values_without_a_multirun_ask_for_it(argument: str) -> None:
    with pytest.raises(ValueError, match=r"has several values\. Add -m"):
        check_overrides("train", [argument])


def test_a_file_of_sweeps_is_looked_at_before_its_first_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(
        '# @package _global_\nhydra: {sweeper: {params: {method: "idhn,hashnat"}}}\n'
    )
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match=r"method=hashnat: no such option\. Did you mean hashnet"):
        check_overrides("train", ["+sweeps=mine"], multirun=True)


@pytest.mark.parametrize(
    ("argument", "message", "first"),
    [
        ("method=idn", "method=idn: no such option. Did you mean idhn", "idhn"),
        ("metric=[recal]", "metric=recal: no such option. Did you mean recall", "recall"),
        ("+sweeps=methodz", "sweeps=methodz: no such option. Did you mean methods", "methods"),
    ],
)
def test_a_misspelt_option_lists_those_of_its_group_and_nothing_else_the_closest_first(
    argument: str, message: str, first: str
) -> None:
    with pytest.raises(ValueError, match="no such option") as raised:
        check_overrides("train", [argument])

    said, listed = str(raised.value).splitlines()
    group = argument.lstrip("+").partition("=")[0]
    folder = root() / "sweeps" if group == "sweeps" else root() / "conf" / group
    options = listed.removeprefix("  Options: ").split(", ")
    assert said.startswith(message)
    assert options[0] == first
    assert sorted(options) == sorted(path.stem for path in folder.glob("*.yaml"))


def test_a_misspelt_option_in_a_file_of_the_users_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "method").mkdir(parents=True)
    (tmp_path / "conf" / "method" / "mine.yaml").write_text("# @package _global_\ndefaults: [{override /head: tnh}]\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match=r"head=tnh: no such option\. Did you mean tanh"):
        check_overrides("train", ["method=mine"])
