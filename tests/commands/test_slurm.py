"""Multiruns on a real Slurm of one node, which is set up for these tests and taken down after them."""

import re
import runpy
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]
Completed = subprocess.CompletedProcess[str]

TOOLS = Path(__file__).parents[1] / "slurm"
tools = runpy.run_path(str(TOOLS / "cluster.py"))
wait_for = tools["wait_for"]

SLURM = ["-m", "hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1"]
STEADY = ["hydra.launcher.partition=steady", "hydra.launcher.additional_parameters.signal=SIGUSR1@100"]
PATIENCE = 600  # seconds at most, on a busy machine
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
RANDOM = ["epochs=3", "batch_size=8", "augment=shift", "head.dropout=0.2"]
WAITS = "+callbacks.waits._target_=interruptible.WaitForSignal"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Slurm, for the commands of this process."""
    if missing := tools["missing"]():
        pytest.skip(f"Slurm is not installed here: no {', '.join(missing)}")
    with tools["slurm"]() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def command(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def job(number: str) -> dict[str, str]:
    """What Slurm says of a job."""
    return dict(re.findall(r"(\S+?)=(\S*)", command("scontrol", "show", "job", "--oneliner", number)))


class Stories(NamedTuple):
    """What became of multiruns, and the same runs without Slurm."""

    folder: Path
    sweep: Completed
    jobs: dict[str, dict[str, str]]
    within_epoch: dict[str, bool]


@pytest.fixture(scope="module")
def stories(
    cluster: None,  # noqa: ARG001 - runs
    softhash: Softhash,
    quick: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Stories:
    """A sweep whose second job meets its time limit, beside a job of two processes that is pre-empted."""
    folder = tmp_path_factory.mktemp("slurm")
    one, two = [*quick, *RANDOM, "method=idhn"], [*quick, *RANDOM, "method=dpsh", *TWO]
    for name in ("sweep", "pair", "alone", "alone_pair"):
        (folder / name).mkdir()
        shutil.copy(TOOLS / "interruptible.py", folder / name)
    with ThreadPoolExecutor(4) as pool:

        def start(name: str, *arguments: str, code: int = 0) -> Future[Completed]:
            return pool.submit(softhash, folder / name, "train", *arguments, code=code)

        throttled = [*SLURM, *STEADY, "hydra.launcher.array_parallelism=1"]
        sweep = start("sweep", *throttled, WAITS, *one, "optimizer.lr=inf,0.001", code=1)
        pair = start("pair", *SLURM, WAITS, *two)
        wait_for(lambda: pair.done() or (folder / "pair" / "waits").exists(), PATIENCE, "two processes to wait")
        # Three of the four processors are never free beside the pair, whether a job of the sweep runs or not.
        high = ["sbatch", "--parsable", "--partition=high", "--cpus-per-task=3", "--output=/dev/null", "--wrap=sleep 1"]
        number = command(*high).strip()
        wait_for(lambda: job(number)["JobState"] == "COMPLETED", PATIENCE, "the job of high priority")
        within_epoch = {"pair": was_saved_within_epoch(folder / "pair")}

        wait_for(lambda: sweep.done() or (folder / "sweep" / "waits").exists(), PATIENCE, "the second job to wait")
        (second,) = numbers(folder / "sweep", task=1)
        command("scontrol", "update", f"JobId={second}", f"TimeLimit={elapsed_minutes(second) + 2}")
        wait_for(lambda: int(job(second)["Restarts"]) > 0 or not is_active(second), PATIENCE, "the time limit")
        command("scontrol", "update", f"JobId={second}", "TimeLimit=60")
        within_epoch["sweep"] = was_saved_within_epoch(folder / "sweep")

        alone, alone_pair = start("alone", *one, "optimizer.lr=0.001"), start("alone_pair", *two)
        results = [future.result() for future in (sweep, pair, alone, alone_pair)]
    tasks = {f"sweep {task}": numbers(folder / "sweep", task)[0] for task in (0, 1)}
    tasks["pair"] = numbers(folder / "pair", task=None)[0]
    wait_for(
        lambda: not any(map(is_active, tasks.values())), PATIENCE, "the jobs to end"
    )  # results come a little earlier
    return Stories(folder, results[0], {name: job(number) for name, number in tasks.items()}, within_epoch)


def numbers(folder: Path, task: int | None) -> list[str]:
    """Numbers of the jobs whose output lies there: of a task of an array, or without one."""
    ending = "" if task is None else f"_{task}"
    return [
        path.name.removesuffix("_0_log.out") for path in folder.glob(f"runs/default/slurm/*/[0-9]*{ending}_0_log.out")
    ]


def is_active(number: str) -> bool:
    return job(number)["JobState"] in {"RUNNING", "PENDING", "COMPLETING"}


def elapsed_minutes(number: str) -> int:
    hours, minutes, _ = job(number)["RunTime"].split(":")
    return 60 * int(hours) + int(minutes)


def was_saved_within_epoch(folder: Path) -> bool:
    (path,) = folder.glob("runs/**/last.ckpt")
    return "softhash_generators" in torch.load(path, weights_only=True)


def only_run(folder: Path) -> Path:
    (found,) = folder.glob("runs/**/metrics.json")
    return found.parent


def assert_equal_runs(first: Path, second: Path) -> None:
    """Codes, values of each query and the best weights are the same bit for bit."""
    codes = sorted(path.name for path in (first / "codes").glob("*.npz"))
    assert len(codes) > 2
    for name in codes:
        with np.load(first / "codes" / name) as one, np.load(second / "codes" / name) as other:
            assert all(np.array_equal(one[array], other[array]) for array in one.files)
    assert (first / "per_query.npz").read_bytes() == (second / "per_query.npz").read_bytes()
    weights = [
        torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"] for run in (first, second)
    ]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_job_at_its_time_limit_is_requeued_and_ends_like_one_without_a_limit(stories: Stories) -> None:
    assert stories.within_epoch["sweep"]
    assert int(stories.jobs["sweep 1"]["Restarts"]) >= 1
    assert stories.jobs["sweep 1"]["JobState"] == "COMPLETED"
    assert_equal_runs(only_run(stories.folder / "sweep"), only_run(stories.folder / "alone"))


def test_two_processes_that_are_preempted_end_like_two_local_ones(stories: Stories) -> None:
    assert stories.within_epoch["pair"]
    assert int(stories.jobs["pair"]["Restarts"]) >= 1
    assert stories.jobs["pair"]["NumTasks"] == "2"
    assert_equal_runs(only_run(stories.folder / "pair"), only_run(stories.folder / "alone_pair"))


def test_a_failed_job_is_known_by_its_folder_and_the_sweep_says_why(stories: Stories) -> None:
    assert "job optimizer.lr=inf failed: the loss is not finite" in stories.sweep.stderr
    assert stories.jobs["sweep 0"]["JobState"] == "COMPLETED"  # Hydra keeps the error from Slurm
    begun = {path.parent for path in (stories.folder / "sweep").glob("runs/**/run.json")}
    assert {only_run(stories.folder / "sweep")} < begun


def test_an_array_runs_as_many_jobs_at_a_time_as_it_may(stories: Stories) -> None:
    first, second = stories.jobs["sweep 0"], stories.jobs["sweep 1"]

    assert first["ArrayTaskThrottle"] == "1"
    assert first["EndTime"] <= second["StartTime"]


@pytest.mark.usefixtures("cluster")
def test_a_killed_job_ends_the_sweep_where_there_are_no_accounts(
    softhash: Softhash, quick: list[str], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        sweep = pool.submit(softhash, tmp_path, "train", *SLURM, *quick, code=1)
        wait_for(lambda: bool(numbers(tmp_path, task=None)), PATIENCE, "the job to start")
        command("scancel", "--signal=KILL", "--full", *numbers(tmp_path, task=None))
        ended = sweep.result(timeout=PATIENCE)

    assert "has not produced any output" in ended.stderr


@pytest.mark.usefixtures("cluster")
def test_a_cluster_that_does_not_answer_is_said_before_anything_starts(
    softhash: Softhash, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))

    result = softhash(tmp_path, "train", *SLURM, *quick, code=1)

    assert "softhash: Slurm is not reachable, so nothing was submitted: squeue" in result.stderr
    assert not (tmp_path / "runs").exists()
