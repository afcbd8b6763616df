import pytest
import torch

from softhash.heads.activations import ScaledTanh


@pytest.mark.parametrize(
    ("step", "beta"),
    [(0, 1.0), (199, 1.0), (200, 1.414214), (400, 1.732051), (1000, 2.449490), (10000, 7.141428)],
)
def test_continuation_follows_the_published_schedule(step: int, beta: float) -> None:
    tanh = ScaledTanh()

    tanh.on_step(step, total=20000)

    assert tanh.beta.item() == pytest.approx(beta, abs=1e-6)


def test_continuation_does_not_change_codes() -> None:
    tanh = ScaledTanh()
    z = torch.randn(50, 4)
    before = tanh(z) > 0

    tanh.on_step(10000, total=20000)

    assert torch.equal(tanh(z) > 0, before)


def test_continuation_survives_a_checkpoint() -> None:
    tanh, restored = ScaledTanh(), ScaledTanh()
    tanh.on_step(1000, total=20000)

    restored.load_state_dict(tanh.state_dict())

    assert restored.beta.item() == pytest.approx(6**0.5)
