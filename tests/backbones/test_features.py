import torch

from softhash.backbones.features import Features


def test_features_pass_as_they_are() -> None:
    backbone, features = Features(out_features=5), torch.randn(3, 5)

    assert backbone(features) is features
    assert backbone.out_features == 5
    assert not list(backbone.parameters())
    assert not backbone.frozen
