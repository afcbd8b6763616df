"""What every verb keeps, found by its root config."""

import inspect
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from softhash.cli import to_hydra, verbs

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "conf").glob("*.yaml"))


def stored(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / "conf" / f"{name}.yaml").read_text())
    return config


def spelt(name: str) -> str:
    return name.replace("_", " ")


def test_every_task_is_a_verb() -> None:
    tasks = [path.stem for path in (ROOT / "softhash" / "tasks").glob("*.py") if path.stem != "__init__"]

    assert sorted(tasks) == NAMES
    assert sorted(verbs()) == sorted(map(spelt, NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_the_task_of_a_verb_runs_its_config_and_says_which_verb_it_is(name: str) -> None:
    task = import_module(f"softhash.tasks.{name}")

    assert list(inspect.signature(task.run).parameters) == ["cfg"]
    assert inspect.getdoc(task).startswith(f"``softhash {spelt(name)}``: ")


@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_of_a_root_config_is_a_sentence_for_the_list_of_verbs(name: str) -> None:
    text = verbs()[spelt(name)]

    assert text.endswith(".")
    assert (ROOT / "conf" / f"{name}.yaml").read_text().startswith(f"# {text}\n")


@pytest.mark.parametrize("name", NAMES)
def test_help_has_a_header_and_examples(name: str) -> None:
    texts = stored(name)["hydra"]["help"]

    assert texts["header"].startswith(f"softhash {spelt(name)}: ")
    assert f"  softhash {spelt(name)} " in texts["footer"]


@pytest.mark.parametrize("name", NAMES)
def test_every_example_of_the_help_is_a_command_that_is_accepted(name: str) -> None:
    lines = stored(name)["hydra"]["help"]["footer"].splitlines()
    examples = [line.strip() for line in lines if line.strip().startswith("softhash ") and "run=runs/..." not in line]

    for example in examples:
        assert to_hydra(shlex.split(example)[1:])
