import pytest
import torch
from torch import nn

from softhash.heads.projection import Projection


def test_hidden_layers_have_a_relu_and_the_last_an_activation() -> None:
    head = Projection(in_features=5, bits=3, hidden=[7], dropout=0.5, activation=nn.Softsign())

    kinds = [type(layer).__name__ for layer in head.layers]
    shapes = [tuple(layer.weight.shape) for layer in head.layers if isinstance(layer, nn.Linear)]
    assert kinds == ["Dropout", "Linear", "ReLU", "Dropout", "Linear"]
    assert shapes == [(7, 5), (3, 7)]
    assert head.eval()(torch.randn(9, 5) * 100).abs().max() < 1


@pytest.mark.parametrize(
    ("arguments", "message"), [({"bits": 0}, "bits must be"), ({"bits": 4, "dropout": 1.0}, "dropout")]
)
def test_bad_arguments_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Projection(in_features=3, **arguments)
