import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torchvision.transforms.v2 import CenterCrop

from softhash.data.cifar10 import CIFAR10DataModule
from softhash.data.mirflickr25k import MirFlickr25KDataModule
from softhash.data.protocols import Sampled, SampledPerClass
from softhash.data.voc import VOCDataModule


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
