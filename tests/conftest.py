import csv
import importlib.util
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn
from torchvision.transforms.v2 import CenterCrop

from softhash.config import root
from softhash.data.cifar10 import CIFAR10DataModule
from softhash.data.mirflickr25k import MirFlickr25KDataModule
from softhash.data.protocols import Sampled, SampledPerClass
from softhash.data.voc import VOCDataModule
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.weighted_average_precision import WeightedAveragePrecision
from softhash.ranking.relevance import LabelRelevance
from softhash.runs.folder import Method, Record, Run
from softhash.runs.measure import measure
from softhash.runs.record import random_codes
from softhash.types import Codes

NAMES = ["cat", "<b>dog</b>", "tree"]
collect_ignore = ["command.py"]  # which runs in a process of its own
LIBRARIES = ["torchvision", "pytorch_lightning", "sklearn.base", "matplotlib.backends.backend_agg", "numba"]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., BaseProcess]]:
    """Start the console command in a folder, in a process of its own, and go on.

    The process is forked from one that has imported the libraries, which takes most of the time of a command, but
    nothing of softhash; ``fresh`` starts an interpreter anew, as joblib's workers need. What it prints goes into the
    files ``outputs``, by number (1, 2), or is lost.
    """
    command = str(Path(sys.executable).parent / "softhash")
    common = {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    common |= {"SOFTHASH_CACHE": str(tmp_path_factory.mktemp("cache"))}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    script = str(Path(__file__).with_name("command.py"))
    processes: list[BaseProcess] = []

    def run(
        folder: Path,
        *arguments: str,
        outputs: dict[int, Path] | None = None,
        fresh: bool = False,
        **variables: str,
    ) -> BaseProcess:
        environment = {**os.environ, **common, **variables}
        environment.pop("HYDRA_FULL_ERROR", None)
        given = {
            "folder": folder,
            "environment": environment,
            "arguments": [command, *arguments],
            "outputs": dict.fromkeys((1, 2), Path(os.devnull)) | (outputs or {}),
            "fresh": fresh,
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OMP_NUM_THREADS", "1")  # read when a library is imported
            process = context.Process(target=runpy.run_path, args=(script,), kwargs={"init_globals": given})
            process.start()
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()  # what a failed test has left running


@pytest.fixture(scope="session")
def softhash(
    start: Callable[..., BaseProcess], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run the console command in a folder, and fail with what it printed unless it ends as expected."""

    def run(folder: Path, *arguments: str, code: int = 0, **variables: str) -> "subprocess.CompletedProcess[str]":
        printed = tmp_path_factory.mktemp("printed")
        outputs = {1: printed / "stdout", 2: printed / "stderr"}
        process = start(folder, *arguments, outputs=outputs, **variables)
        process.join()
        stdout, stderr = (path.read_text() for path in outputs.values())
        assert process.exitcode == code, f"{stdout}\n{stderr}"
        return subprocess.CompletedProcess(arguments, code, stdout, stderr)

    return run


@pytest.fixture(name="record")
def record_of_a_run() -> Record:
    """Of a method with 8 bits, beside chance."""
    return _record()


def _record() -> Record:
    return Record(
        method="mine",
        data="toy",
        bits=8,
        seed=3,
        overrides=[],
        checksum="c0ffee" * 8,
        counts={"train": 9, "validation": 9, "query": 20, "database": 60},
        methods=[Method("mine", 8, own=True), Method("random", 8, own=False)],
        versions={"torch": "2.x", "commit": "abc"},
        metrics=["map_all", "wap"],
        top_k=None,
    )


@pytest.fixture
def encoded(tmp_path: Path, record: Record) -> Run:
    """A run of 20 queries, 60 database images and 8 bits that has codes, and has not been measured."""
    run = Run(tmp_path / "run")
    rng = np.random.default_rng(0)
    labels = [torch.from_numpy(rng.integers(2, size=(count, 3), dtype=np.uint8)) for count in (20, 60)]
    ids = (np.array([f"{side}{i}" for i in range(count)]) for side, count in (("q", 20), ("d", 60)))
    run.write_record(record)
    run.write_relevance(LabelRelevance(*labels, NAMES), *ids)
    relaxed = rng.standard_normal((60, 8)).astype(np.float32)
    query = torch.from_numpy(rng.integers(256, size=(20, 1), dtype=np.uint8))
    database = torch.from_numpy(np.packbits(relaxed > 0, axis=1, bitorder="little"))
    run.write_codes("mine", Codes(query, database, 8, torch.from_numpy(relaxed)))
    run.write_codes("random", random_codes(20, 60, bits=8, seed=3))
    return run


@pytest.fixture
def run(encoded: Run) -> Run:
    """A finished run without training."""
    measure(encoded, [MeanAveragePrecision(), WeightedAveragePrecision()]).write(encoded)
    return encoded


@pytest.fixture
def untrained(tmp_path: Path) -> Callable[..., Run]:
    """Write a run folder with an encoder of random weights, as ``softhash train`` leaves it behind."""
    return partial(_untrained, tmp_path / "untrained")


@pytest.fixture(scope="session")
def write_untrained() -> Callable[..., Run]:
    """The same, into a folder that is given first."""
    return _untrained


def _untrained(folder: Path, *overrides: str) -> Run:
    names = [
        "names.method=mine",
        "names.data=toy",
        "run_dir=.",
        "data=folders",
        "data.root=.",
        "data.num_classes=3",
    ]
    small = ["backbone=small_cnn", "backbone.width=4", "image_size=16", "bits=12"]
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = compose("train", [*names, *small, "data.resize=20", "seed=1", *overrides])
    run = Run(folder)
    torch.manual_seed(0)
    encoder = instantiate(config.encoder)
    noise = torch.randint(256, (300, config.image_channels, 16, 16), dtype=torch.uint8)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics of all batches alike
    with torch.no_grad():
        encoder.backbone.train()(noise)
        features = encoder.backbone.eval()(noise)
        for module in encoder.head.modules():
            if isinstance(module, nn.Linear) and module.in_features == features.shape[1]:
                module.bias[:] = -module.weight @ features.mean(0)  # so that codes differ
    if hasattr(encoder.head, "estimator"):
        labels = np.eye(3, dtype=np.uint8)[np.arange(300) % 3]
        encoder.head.estimator.fit(features.numpy(), labels)
    run.write_config(OmegaConf.to_yaml(config, resolve=True))
    run.write_record(_record())
    run.best.parent.mkdir()
    state = {f"encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": state}, run.best)
    return run


@pytest.fixture(name="photos")
def photo_folder(tmp_path: Path, layout: Callable[[str], Any]) -> Path:
    """A folder with 42 photos of three labels."""
    layout("custom").write_folders(tmp_path / "photos", divided=True)
    return tmp_path / "photos"


@pytest.fixture
def write_log() -> Callable[[Run, list[dict[str, float]]], None]:
    """Add a CSV log to a run."""

    def write(run: Run, lines: list[dict[str, float]]) -> None:
        version = len(list(run.folder.glob("metrics/version_*")))
        path = run.folder / "metrics" / f"version_{version}" / "metrics.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, sorted({name for line in lines for name in line}))
            writer.writeheader()
            writer.writerows(lines)

    return write


@pytest.fixture
def logged(run: Run, write_log: Callable[[Run, list[dict[str, float]]], None]) -> Run:
    """The same, with the log of two epochs, the second of which was done again after a resumption."""
    first = [
        {"epoch": 0, "step": 0, "train/loss": 3.0},
        {"step": 1, "lr-Adam": 0.1},
        {"epoch": 0, "step": 1, "validation/mAP": 0.5},
        {"epoch": 1, "step": 2, "train/loss": 2.0},
    ]
    again = [{"epoch": 1, "step": 2, "train/loss": 1.5}, {"epoch": 1, "step": 3, "validation/mAP": 0.6}]
    write_log(run, first)
    write_log(run, again)
    return run


def _layout(name: str) -> Any:
    """The module that writes a fake of a data set."""
    path = Path(__file__).parent / "layouts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"layouts_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def layout() -> Callable[[str], Any]:
    return _layout


@pytest.fixture
def arguments() -> Callable[..., dict[str, Any]]:
    return photos


@pytest.fixture
def by_id() -> Callable[[Any], dict[str, list[int]]]:
    """Labels of every image of all splits of a data set."""

    def labels(data: Any) -> dict[str, list[int]]:
        return {
            str(name): labels.tolist()
            for split in data.sets.values()
            for name, labels in zip(split.ids, split.labels, strict=True)
        }

    return labels


@pytest.fixture
def write_mirflickr25k() -> Callable[..., Any]:
    return _layout("mirflickr25k").write_mirflickr25k


@pytest.fixture
def write_voc() -> Callable[..., Any]:
    return _layout("voc").write_voc


def photos(**changes: Any) -> dict[str, Any]:
    """Arguments of every data set of photos; ``split`` is those of the protocol."""
    split = {"num_train": 20, "num_query": 5, "train_in_database": False, "unlabelled": "evaluate", "seed": 0}
    common = {
        "protocol": Sampled(**(split | changes.pop("split", {}))),
        "num_validation": 6,
        "missing": "refuse",
        "exclude": None,
        "tags": None,
        "resize": 36,
        "squash": False,
        "cache_dir": "/nowhere",
        "image_size": 32,
        "augment": CenterCrop(32),
        "batch_size": 4,
        "num_workers": 0,
        "seed": 0,
    }
    return common | changes


@pytest.fixture
def mirflickr25k() -> Callable[..., MirFlickr25KDataModule]:
    def make(root: Path, **changes: Any) -> MirFlickr25KDataModule:
        own = {"root": str(root), "relevant_labels": True, "num_classes": 5}
        return MirFlickr25KDataModule(**photos(**(own | changes)))

    return make


@pytest.fixture
def voc() -> Callable[..., VOCDataModule]:
    def make(root: Path, **changes: Any) -> VOCDataModule:
        own = {"root": str(root), "year": 2007, "parts": ["test"], "num_classes": 3}
        return VOCDataModule(**photos(**(own | changes)))

    return make


@pytest.fixture
def cifar10(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CIFAR10DataModule]:
    # The official files are known by their checksums; a fake cannot have them.
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda path, _: Path(path).is_file())

    def make(root: Path, **changes: Any) -> CIFAR10DataModule:
        per_class = {"query_per_class": 1, "train_per_class": 5, "train_in_database": True}
        protocol = SampledPerClass(**per_class, unlabelled="keep", seed=0)
        own = {
            "num_validation": 10,
            "image_size": 32,
            "augment": CenterCrop(32),
            "num_classes": 10,
            "batch_size": 8,
        }
        common = {"root": str(root), "protocol": protocol, "num_workers": 0, "seed": 0}
        return CIFAR10DataModule(**(common | own | changes))

    return make
