"""What every data set and protocol keeps, found by its config."""

import importlib.util
import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_class

from softhash.data.base import RetrievalDataModule

ROOT = Path(__file__).parents[2]
DATA = sorted(path.stem for path in (ROOT / "conf" / "data").glob("*.yaml"))
PROTOCOLS = sorted(path.stem for path in (ROOT / "conf" / "data" / "protocol").glob("*.yaml"))
BASE = yaml.safe_load((ROOT / "conf" / "data" / "common" / "photos.yaml").read_text())


def stored(*parts: str) -> dict:
    return yaml.safe_load((ROOT / "conf" / "data").joinpath(*parts).with_suffix(".yaml").read_text())


def constructor(target: str) -> set[str]:
    """Arguments of a class, those that it hands on to its base included."""
    names: set[str] = set()
    for kind in get_class(target).__mro__:
        arguments = inspect.signature(kind.__init__).parameters.values()
        names |= {argument.name for argument in arguments if argument.kind is not argument.VAR_KEYWORD}
        if not any(argument.kind is argument.VAR_KEYWORD for argument in arguments):
            break
    return names - {"self"}


@pytest.mark.parametrize("name", DATA)
def test_the_keys_of_a_data_set_are_the_arguments_of_its_class(name: str) -> None:
    config = stored(name)
    keys = set(config["data"]) - {"_target_"}
    if "common/photos" in config["defaults"]:
        keys |= set(BASE["data"])
    if any("/data/protocol" in entry for entry in config["defaults"] if isinstance(entry, dict)):
        keys.add("protocol")

    assert issubclass(get_class(config["data"]["_target_"]), RetrievalDataModule)
    assert keys == constructor(config["data"]["_target_"])


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_keys_of_a_protocol_are_the_arguments_of_its_class(name: str) -> None:
    config = stored("protocol", name)

    assert set(config) - {"_target_"} == constructor(config["_target_"])


@pytest.mark.parametrize("name", [*DATA, *(f"protocol/{name}" for name in PROTOCOLS)])
def test_a_config_says_what_it_is_about(name: str) -> None:
    first, second = (ROOT / "conf" / "data" / f"{name}.yaml").read_text().splitlines()[:2]

    assert first.startswith("# @package")
    assert second.startswith("# ")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DATA if name != "digits"])
def test_a_data_set_trains_from_its_official_layout(name: str, tmp_path: Path, softhash: Callable[..., object]) -> None:
    module = stored(name)["data"]["_target_"].split(".")[-2]
    spec = importlib.util.spec_from_file_location("layout", ROOT / "tests" / "layouts" / f"{module}.py")
    layout = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(layout)
    overrides = layout.write_for(name, tmp_path / "data")
    if "common/photos" in stored(name)["defaults"]:
        overrides += ["backbone=small_cnn", "image_size=32", "data.resize=36"]
    quick = [
        "bits=8",
        "epochs=1",
        "batch_size=8",
        "num_workers=0",
        "top_k=8",
        "metric=[map,map_all]",
        "logger=csv",
    ]

    data = [f"data={name}", f"data.root={tmp_path / 'data'}", f"cache_dir={tmp_path / 'cache'}"]
    softhash(tmp_path, "train", *data, *overrides, *quick, PYTHONPATH=str(tmp_path / "data"))

    (metrics,) = tmp_path.glob("runs/**/metrics.json")
    assert 0 < json.loads(metrics.read_text())["methods"]["idhn"]["mAP@8"]["expected"] <= 1
