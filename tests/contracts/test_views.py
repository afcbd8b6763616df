"""What every choice of views keeps, found by its config."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import softhash.config  # noqa: F401 - registers what configs call
from softhash.export.graph import traced
from softhash.runs.folder import Run

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "views").glob("*.yaml"))
BACKBONES = sorted(path.stem for path in (CONF / "backbone").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_it_is(name: str) -> None:
    first, second = (CONF / "views" / f"{name}.yaml").read_text().splitlines()[:2]

    assert first == "# @package _global_"
    assert second.startswith("# ")


@pytest.mark.parametrize("hasher", ["idhn", "itq", "pq"])  # one of conf/hasher/deep, shallow and tables each
@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_method_encodes_them(name: str, hasher: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"views={name}", f"method={hasher}"])

    assert config.encoder.backbone == config.views


@pytest.mark.parametrize("backbone", BACKBONES)
def test_any_backbone_can_be_looked_at_so(backbone: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["views=mirrored", f"backbone={backbone}", "backbone.frozen=true"])

    assert OmegaConf.to_container(config.views.backbone) == OmegaConf.to_container(config.backbone)
    assert config.encoder.backbone.backbone.frozen


@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_of_a_run_folder_and_its_graph_give_the_codes_of_the_views(
    name: str, untrained: Callable[..., Run]
) -> None:
    run = untrained(f"views={name}")
    images = torch.randint(256, (9, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))

    encoder = run.encoder()

    kind = type(encoder.backbone).__name__
    assert kind == ("SmallCNN" if name == "one" else "AveragedViews")
    codes = encoder(images).database
    assert len(torch.unique(codes, dim=0)) > 3  # so that equal says something
    assert torch.equal(traced(encoder, images[:2]).module()(images), codes)  # type: ignore[arg-type]
