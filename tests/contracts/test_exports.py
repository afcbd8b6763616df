"""What can be exported: every encoder that is trained by gradient, and every backbone, found by their configs."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate

import softhash.config  # noqa: F401 - registers what configs call
from softhash.export.graph import traced
from softhash.hashers.encoder import Encoder
from softhash.heads.projection import Projection

pytestmark = pytest.mark.slow
CONF = Path(__file__).parents[2] / "conf"
BACKBONES = sorted(path.stem for path in (CONF / "backbone").glob("*.yaml"))


def methods() -> dict[str, str]:
    """The first trained method of each choice of a head and a hasher, which decide about the encoder."""
    first: dict[str, str] = {}
    for path in sorted((CONF / "method").glob("*.yaml")):
        config = yaml.safe_load(path.read_text())
        chosen = [
            option for option in config.get("defaults", []) if {"override /head", "override /hasher"} & set(option)
        ]
        if "estimator" not in config:
            first.setdefault(str([chosen, config.get("head"), config.get("encoder")]), path.stem)
    return first


@pytest.mark.parametrize("name", methods().values())
def test_the_encoder_of_a_method_becomes_a_graph_with_the_same_bits(name: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"method={name}", "bits=16"])
    config.encoder.backbone = {"_target_": "softhash.backbones.features.Features", "out_features": 24}
    torch.manual_seed(0)
    encoder = instantiate(config.encoder).eval()
    features = torch.randn(9, 24)

    graph = traced(encoder, features[:2]).module()

    assert torch.equal(graph(features), encoder(features).database)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_becomes_a_graph_with_the_same_bits(name: str) -> None:
    config: dict[str, Any] = yaml.safe_load((CONF / "backbone" / f"{name}.yaml").read_text())["backbone"]
    if "???" in config.values():
        pytest.skip("the user names the network")
    random = {"weights": None, "pretrained": False, "channels": 3}
    torch.manual_seed(0)
    try:
        backbone = instantiate(config | {key: value for key, value in random.items() if key in config})
    except InstantiationException as error:
        pytest.skip(f"needs an extra: {error}")
    encoder = Encoder(12, backbone, lambda in_features: Projection(in_features, 12)).eval()
    images = torch.randint(256, (3, 3, 64, 64), dtype=torch.uint8)

    graph = traced(encoder, images[:2]).module()

    assert torch.equal(graph(images), encoder(images).database)
