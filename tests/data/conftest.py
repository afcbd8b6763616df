import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torchvision.transforms.v2 import CenterCrop

from softhash.data.mirflickr25k import MirFlickr25KDataModule
from softhash.data.voc2007 import VOC2007DataModule


def layout(name: str) -> Any:
    """The module that writes a fake of a data set."""
    path = Path(__file__).parents[1] / "layouts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"layouts_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def write_mirflickr25k() -> Callable[..., Any]:
    return layout("mirflickr25k").write_mirflickr25k


@pytest.fixture
def write_voc2007() -> Callable[..., Any]:
    return layout("voc2007").write_voc2007


def _photos(changes: dict[str, Any]) -> dict[str, Any]:
    common = {
        "split_file": None,
        "num_train": 20,
        "num_query": 5,
        "num_validation": 6,
        "resize": 36,
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
        return MirFlickr25KDataModule(**_photos({"root": str(root), "relevant_labels": True, "num_classes": 5} | changes))

    return make


@pytest.fixture
def voc2007() -> Callable[..., VOC2007DataModule]:
    def make(root: Path, **changes: Any) -> VOC2007DataModule:
        return VOC2007DataModule(**_photos({"root": str(root), "parts": ["test"], "num_classes": 3} | changes))

    return make
