"""What every choice of views keeps, found by its config."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

import softhash.config  # noqa: F401 - registers what configs call
from softhash.export.graph import traced
from softhash.runs.folder import Run

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "views").glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_it_is(name: str) -> None:
    first, second = (CONF / "views" / f"{name}.yaml").read_text().splitlines()[:2]

    assert first == "# @package _global_"
    assert second.startswith("# ")


@pytest.mark.parametrize("method", ["idhn", "itq", "pq"])  # one of conf/hasher/deep, shallow and tables each
def test_every_kind_of_method_encodes_them_with_the_backbone_as_it_is(method: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"method={method}", "views=mirrored", "backbone=resnet18", "backbone.frozen=true"])

    assert config.encoder.backbone == config.views
    assert config.views.backbone == config.backbone
    assert config.backbone.name == "resnet18"
    assert config.backbone.frozen


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
