import sys
from pathlib import Path

import pytest
import torch

from softhash.backbones.timm import TimmBackbone

timm = pytest.importorskip("timm")


def test_a_model_brings_its_own_normalisation() -> None:
    backbone = TimmBackbone("vit_tiny_patch16_224.augreg_in21k", pretrained=False, checkpoint=None, frozen=False)

    torch.testing.assert_close(backbone.mean.flatten(), torch.full((3,), 127.5))
    assert backbone(torch.zeros(1, 3, 224, 224, dtype=torch.uint8)).shape == (1, backbone.out_features)


@pytest.mark.parametrize(("name", "width"), [("resnet18", 512), ("mobilenetv3_small_050", 1024), ("lcnet_035", 1280)])
def test_the_number_of_features_is_what_a_classifier_would_take(name: str, width: int) -> None:
    """MobileNetV3 and LCNet have a layer between pooling and classifier."""
    backbone = TimmBackbone(name, pretrained=False, checkpoint=None, frozen=True)

    features = backbone(torch.zeros(2, 3, 64, 64, dtype=torch.uint8))

    assert features.shape == (2, width)
    assert backbone.out_features == width


def test_weights_of_a_file_are_used_instead_of_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    whole = timm.create_model("resnet18", pretrained=False)  # with its classifier, which is left out
    torch.save(whole.state_dict(), tmp_path / "resnet18.pth")

    backbone = TimmBackbone("resnet18", pretrained=True, checkpoint=str(tmp_path / "resnet18.pth"), frozen=True)

    assert torch.equal(backbone.network.conv1.weight, whole.conv1.weight)
    assert torch.equal(backbone.network.layer4[1].bn2.weight, whole.layer4[1].bn2.weight)


def test_a_misspelt_model_is_refused_with_similar_ones() -> None:
    with pytest.raises(ValueError, match=r"similar ones: .*mobilenetv3"):
        TimmBackbone("mobilenetv3", pretrained=False, checkpoint=None, frozen=False)


def test_a_misspelt_tag_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"'resnet18\.a9'; those of resnet18: .*resnet18\.a1_in1k"):
        TimmBackbone("resnet18.a9", pretrained=False, checkpoint=None, frozen=False)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")

    with pytest.raises(ValueError, match=r"other\.pth' does not fit resnet18: it has no conv1\.weight"):
        TimmBackbone("resnet18", pretrained=False, checkpoint=str(tmp_path / "other.pth"), frozen=False)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")

    with pytest.raises(ValueError, match=r"does not fit resnet18: .*size mismatch for conv1\.weight"):
        TimmBackbone("resnet18", pretrained=False, checkpoint=str(tmp_path / "other.pth"), frozen=False)


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.pth").write_text("no weights here")

    with pytest.raises(ValueError, match=r"notes\.pth' is not a state dict"):
        TimmBackbone("resnet18", pretrained=False, checkpoint=str(tmp_path / "notes.pth"), frozen=False)


def test_no_version_of_timm_is_left_to_run_what_a_file_of_weights_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(_: str, **options: object) -> dict[str, torch.Tensor]:
        asked.append(options)
        return {}

    monkeypatch.setattr("timm.models.load_state_dict", load)
    (tmp_path / "a.pth").touch()

    with pytest.raises(ValueError, match="it has no"):
        TimmBackbone("resnet18", pretrained=False, checkpoint=str(tmp_path / "a.pth"), frozen=False)

    assert asked == [{"weights_only": True}]


def test_a_file_of_weights_that_is_missing_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"backbone\.checkpoint='/nowhere\.pth' is not a file"):
        TimmBackbone("resnet18", pretrained=False, checkpoint="/nowhere.pth", frozen=False)


def test_a_download_that_fails_says_how_to_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        msg = "cannot reach the hub"
        raise OSError(msg)

    monkeypatch.setattr(timm, "create_model", unreachable)

    with pytest.raises(
        OSError, match=r"(?s)resnet18 could not be .*: cannot reach the hub\n.*backbone\.pretrained=false"
    ):
        TimmBackbone("resnet18", pretrained=True, checkpoint=None, frozen=False)


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # as if it were not installed

    with pytest.raises(ValueError, match=r"pip install 'softhash\[timm\]'"):
        TimmBackbone("resnet18", pretrained=False, checkpoint=None, frozen=False)
