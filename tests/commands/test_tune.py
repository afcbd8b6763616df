"""One search of few trials for most tests; its query split cannot be read as long as it is sealed."""

import csv
import os
import shlex
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from softhash.runs.folder import Run

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = str(Path(sys.executable).parent / "softhash")
MODULE = """
import os
from softhash.data.digits import DigitsDataModule

def refuse(images):
    raise AssertionError("a query was read")

class Sealed(DigitsDataModule):
    def load(self):
        splits = super().load()
        if os.environ.get("SEALED"):
            splits["query"] = splits["query"].with_transform(refuse)
        return splits
"""
TRIALS = 6
SEARCH = (  # two of the rates learn nothing: with the one weights stay, with the other the loss is not finite
    *("optimizer.lr=0.0,0.005,inf", "loss.gamma=tag(log,interval(0.01,1.0))"),
    *("data=sealed", "epochs=3", "batch_size=32", "study=found", "sampler=random"),
    *("pruner.n_startup_trials=1", "pruner.n_warmup_steps=0", "loss.beta=5.0", "loss.quantization_weight=0.1"),
)


def project(folder: Path) -> Path:
    """A folder with a data set whose queries can be sealed."""
    (folder / "conf" / "data").mkdir(parents=True)
    (folder / "sealed.py").write_text(MODULE)
    text = "# @package _global_\ndefaults: [digits]\ndata: {_target_: sealed.Sealed}\n"
    (folder / "conf" / "data" / "sealed.yaml").write_text(text)
    return folder


def trials(folder: Path) -> list[dict[str, str]]:
    """Lines of the spreadsheet, without how long trials took."""
    lines = list(csv.DictReader((folder / "found" / "trials.csv").open(newline="")))
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def starts(folder: Path) -> list[int]:
    """How often each trial was begun or gone on with: each time has a log of its own."""
    return [len(list(trial.glob("metrics/version_*"))) for trial in sorted((folder / "found" / "trials").iterdir())]


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A search that goes on while the test does something else."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SOFTHASH_CACHE": str(folder / "cache"), "SEALED": "1"}
    return subprocess.Popen(
        [COMMAND, "tune", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def search(quick: list[str]) -> list[str]:
    return [*quick, *SEARCH, f"trials={TRIALS}"]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, search: list[str]) -> tuple[Path, str]:
    """Folder of a finished search, and what it printed; tests must not change it."""
    folder = project(tmp_path_factory.mktemp("tuned"))
    with start(folder, *search) as process:
        printed, _ = process.communicate()
    assert process.returncode == 0, printed
    return folder, printed


def test_a_search_ends_with_what_belongs_to_it_and_sees_no_query(tuned: tuple[Path, str]) -> None:
    folder, printed = tuned

    assert [line["trial"] for line in trials(folder)] == [str(number) for number in range(TRIALS)]
    assert sorted(path.name for path in (folder / "found").iterdir() if not path.name.startswith(".")) == [
        "figures",
        "index.html",
        "study.db",
        "trials",
        "trials.csv",
    ]
    assert {"history.png", "importance.png"} <= {path.name for path in (folder / "found" / "figures").iterdir()}
    assert "Open found/index.html" in printed
    assert not list(folder.glob("found/trials/*/checkpoints"))
    assert not list(folder.glob("**/metrics.json"))


def test_a_trial_is_pruned_where_it_is_below_the_median_of_those_before(tuned: tuple[Path, str]) -> None:
    series = [
        Run(folder).log()["validation/mAP"].values if line["epochs"] != "0" else []
        for line, folder in zip(trials(tuned[0]), sorted((tuned[0] / "found" / "trials").iterdir()), strict=True)
    ]
    complete: list[list[float]] = []
    for line, values in zip(trials(tuned[0]), series, strict=True):
        ends = next(
            (
                epoch
                for epoch in range(len(values))
                if complete and max(values[: epoch + 1]) < statistics.median(one[epoch] for one in complete)
            ),
            2,
        )
        if line["state"] != "failed":
            assert line["state"] == ("pruned" if ends < 2 else "complete"), line
            assert len(values) == ends + 1
        if line["state"] == "complete":
            complete.append(values)

    assert {line["state"] for line in trials(tuned[0])} == {"complete", "pruned", "failed"}


def test_a_trial_that_fails_is_named_and_the_search_goes_on(tuned: tuple[Path, str]) -> None:
    folder, printed = tuned

    failed = [line for line in trials(folder) if line["state"] == "failed"]
    assert failed
    assert {line["optimizer.lr"] for line in failed} == {"inf"}
    assert all("the loss is not finite" in line["error"] for line in failed)
    assert f"trial {failed[0]['trial']} failed: the loss is not finite" in printed
    assert "Traceback" not in printed


def test_the_printed_command_trains_the_best_trial_again(
    tuned: tuple[Path, str], tmp_path: Path, softhash: Softhash
) -> None:
    folder, printed = tuned
    (command,) = [line.strip() for line in printed.splitlines() if line.strip().startswith("softhash train ")]
    best = max(
        (line for line in trials(folder) if line["state"] == "complete"), key=lambda line: line["validation/mAP"]
    )

    softhash(project(tmp_path), *shlex.split(command)[1:])

    (page,) = tmp_path.glob("runs/**/index.html")
    assert max(Run(page.parent).log()["validation/mAP"].values) == float(best["validation/mAP"])
    assert Run(page.parent).finished


def test_the_same_command_of_a_finished_search_trains_nothing(
    tuned: tuple[Path, str], search: list[str], softhash: Softhash
) -> None:
    folder, printed = tuned
    before, begun = trials(folder), starts(folder)

    result = softhash(folder, "tune", *search)

    assert result.stdout.splitlines()[0] == next(line for line in printed.splitlines() if line.startswith("Best of"))
    assert (trials(folder), starts(folder)) == (before, begun)


def test_a_search_of_something_else_is_refused_in_the_same_folder(
    tuned: tuple[Path, str], search: list[str], softhash: Softhash
) -> None:
    result = softhash(tuned[0], "tune", *search, "loss.beta=4.0", code=1)

    assert "found has a search with loss.beta=5.0, not 4.0" in result.stderr
    assert "study=FOLDER" in result.stderr


def test_a_killed_search_goes_on_and_ends_like_one_that_was_not(
    tuned: tuple[Path, str], search: list[str], tmp_path: Path
) -> None:
    folder = project(tmp_path)
    with start(folder, *search) as process:
        end = time.monotonic() + 300
        while not list(folder.glob("found/trials/*/checkpoints/last.ckpt")) and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (folder / "found" / "trials.csv").exists()

    with start(folder, *search) as process:
        printed, _ = process.communicate()

    assert process.returncode == 0, printed
    assert trials(folder) == trials(tuned[0])
    assert sorted(starts(folder)) == [1] * (TRIALS - 1) + [2]


def test_two_processes_share_the_trials_and_what_all_of_them_need(search: list[str], tmp_path: Path) -> None:
    folder = project(tmp_path)
    frozen = ["data=digits", "backbone.frozen=true", "optimizer.lr=0.005"]
    arguments = [argument for argument in search if not argument.startswith(("data=", "optimizer.lr="))]
    both = [start(folder, *arguments, *frozen) for _ in range(2)]

    printed = [process.communicate()[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], "\n".join(printed)
    assert [line["trial"] for line in trials(folder)] == [str(number) for number in range(TRIALS)]
    assert starts(folder) == [1] * TRIALS
    assert len(list(folder.glob("cache/features/*/index.json")) or list(folder.glob("cache/features/*/"))) == 1
    said = [line for text in printed for line in text.splitlines() if line.startswith("trial ")]
    assert sorted(line.split()[1] for line in said) == [str(number) for number in range(TRIALS)]
