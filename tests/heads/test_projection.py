import pytest
import torch
from torch import nn

from softhash.heads.projection import Projection, ScaledTanh


@pytest.mark.parametrize(
    ("step", "beta"),
    [(0, 1.0), (199, 1.0), (200, 1.414214), (400, 1.732051), (1000, 2.449490), (10000, 7.141428)],
)
def test_continuation_follows_the_published_schedule(step: int, beta: float) -> None:
    head = ScaledTanh(in_features=3, bits=4)

    head.on_step(step, total=20000)

    assert head.beta.item() == pytest.approx(beta, abs=1e-6)


def test_continuation_does_not_change_codes() -> None:
    head = ScaledTanh(in_features=3, bits=4)
    features = torch.randn(50, 3)
    before = head(features) > 0

    head.on_step(10000, total=20000)

    assert torch.equal(head(features) > 0, before)


def test_continuation_survives_a_checkpoint() -> None:
    head, restored = ScaledTanh(in_features=3, bits=4), ScaledTanh(in_features=3, bits=4)
    head.on_step(1000, total=20000)

    restored.load_state_dict(head.state_dict())

    assert restored.beta.item() == pytest.approx(6**0.5)


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
