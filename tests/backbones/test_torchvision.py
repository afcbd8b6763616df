from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import yaml
from torch import nn
from torchvision import models
from torchvision.models import alexnet

from softhash.backbones.torchvision import TorchvisionBackbone

CONF = Path(__file__).parents[2] / "conf" / "backbone"


def test_features_of_alexnet_are_what_its_last_layer_classifies(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = alexnet(weights=None).eval()
    torch.save(reference.state_dict(), tmp_path / "alexnet.pth")
    images = torch.randint(256, (2, 3, 224, 224), dtype=torch.uint8)
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[:, :, None, None]

    backbone = TorchvisionBackbone("alexnet", "classifier.6", str(tmp_path / "alexnet.pth"), frozen=True)

    last = reference.classifier[6]
    assert isinstance(last, nn.Linear)
    assert backbone.out_features == last.in_features == 4096
    torch.testing.assert_close(last(backbone(images)), reference((images / 255 - mean) / std), rtol=1e-4, atol=1e-5)


def test_alexnet_keeps_a_dropout_of_one_half_before_fc6_and_fc7() -> None:
    backbone = TorchvisionBackbone("alexnet", "classifier.6", None, frozen=False)

    layers = [type(layer).__name__ for layer in backbone.network.classifier]
    dropped = [layer.p for layer in backbone.network.classifier if isinstance(layer, nn.Dropout)]

    assert layers == ["Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Identity"]
    assert dropped == [0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "before", "width"),
    [("alexnet", "classifier.5", 4096), ("vgg16", "classifier.4", 4096), ("googlenet", "avgpool", 1024)],
)
def test_the_papers_networks_give_fc7_after_its_relu_or_the_pooled_map(name: str, before: str, width: int) -> None:
    config = yaml.safe_load((CONF / f"{name}.yaml").read_text())["backbone"]
    with torch.device("meta"):  # 138 million parameters of VGG-16 are not needed for shapes
        backbone = TorchvisionBackbone(name, config["classifier"], None, frozen=True)
        images = torch.zeros(2, 3, 224, 224, dtype=torch.uint8)
    seen: list[torch.Tensor] = []
    backbone.network.get_submodule(before).register_forward_hook(lambda *given: seen.append(given[2]))

    features = backbone(images)

    assert features.shape == seen[0].flatten(1).shape == (2, backbone.out_features) == (2, width)


def test_a_resnet_gives_its_pooled_map() -> None:
    backbone = TorchvisionBackbone("resnet18", "fc", None, frozen=True)

    features = backbone(torch.zeros(2, 1, 64, 64, dtype=torch.uint8))

    assert features.shape == (2, backbone.out_features) == (2, 512)


def test_normalisation_is_that_of_the_weights_and_not_always_that_of_imagenet() -> None:
    backbone = TorchvisionBackbone("efficientnet_v2_l", "classifier.1", None, frozen=True)

    torch.testing.assert_close(backbone.mean.flatten(), torch.full((3,), 127.5))
    torch.testing.assert_close(backbone.std.flatten(), torch.full((3,), 127.5))


def test_a_misspelt_network_is_refused_with_similar_ones() -> None:
    with pytest.raises(ValueError, match=r"no classification network backbone\.name='alexnett'; .*: alexnet"):
        TorchvisionBackbone("alexnett", "classifier.6", None, frozen=False)


@pytest.mark.parametrize("layer", ["fc", "features.0"])
def test_a_layer_that_is_not_linear_is_refused_with_those_that_are(layer: str) -> None:
    with pytest.raises(ValueError, match=f"no linear layer .*'{layer}'; .*: classifier.1, classifier.4, classifier.6"):
        TorchvisionBackbone("alexnet", layer, None, frozen=False)


@pytest.mark.parametrize("weights", ["IMAGENET", "/nowhere/alexnet.pth"])
def test_weights_that_do_not_exist_are_refused_with_those_that_do(weights: str) -> None:
    with pytest.raises(ValueError, match=f"'{weights}' is neither a file nor .* of alexnet: DEFAULT, IMAGENET1K_V1"):
        TorchvisionBackbone("alexnet", "classifier.6", weights, frozen=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_a_network_with_extra_outputs_is_the_same_with_weights_of_a_file_and_without(name: str, tmp_path: Path) -> None:
    published = models.get_model(name, weights=None, init_weights=False).state_dict()  # extra outputs included
    torch.save(published, tmp_path / "weights.pth")

    filled = TorchvisionBackbone(name, "fc", str(tmp_path / "weights.pth"), frozen=True)
    empty = TorchvisionBackbone(name, "fc", None, frozen=False)

    empty.load_state_dict(filled.state_dict())
    images = torch.randint(256, (2, 3, 75, 75), dtype=torch.uint8)
    torch.testing.assert_close(empty.eval()(images), filled(images), rtol=0, atol=0)
    assert empty.train()(images).shape == (2, filled.out_features)


@pytest.mark.parametrize("failure", [URLError("no route to host"), RuntimeError("invalid hash value")])
def test_a_download_that_fails_says_how_to_do_without(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", fail)

    with pytest.raises(OSError, match="could not be downloaded from https") as caught:
        TorchvisionBackbone("alexnet", "classifier.6", "DEFAULT", frozen=False)

    for part in (str(tmp_path), "backbone.weights=FILE", "backbone.weights=null"):
        assert part in str(caught.value)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")

    with pytest.raises(ValueError, match=r"other\.pth' does not fit alexnet: .*features\.0\.weight"):
        TorchvisionBackbone("alexnet", "classifier.6", str(tmp_path / "other.pth"), frozen=False)


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.pth").write_text("no weights here")

    with pytest.raises(ValueError, match=r"notes\.pth' is not a state dict"):
        TorchvisionBackbone("alexnet", "classifier.6", str(tmp_path / "notes.pth"), frozen=False)
