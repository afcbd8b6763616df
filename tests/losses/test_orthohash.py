from types import SimpleNamespace

import pytest
import torch

from softhash.losses.orthohash import OrthoHashLoss

CODES = [[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]]


def ready(labels: torch.Tensor, bits: int, seed: int = 0) -> OrthoHashLoss:
    loss = OrthoHashLoss(seed=seed)
    loss.setup(SimpleNamespace(labels=labels, bits=bits))
    return loss


def test_value_and_gradient_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    loss = ready(fixture_f.labels, bits=4)
    loss.codebook[:] = torch.tensor(CODES)

    total = loss(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)["class"]
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(2.878289, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.100517, 0.661898, -0.041936, 0.519445], abs=2e-6)


def test_a_code_of_a_single_class_costs_the_softmax_of_its_margin() -> None:
    labels = torch.tensor([[1.0, 0.0]])
    loss = ready(labels, bits=2)
    loss.codebook[:] = torch.tensor([[1.0, 1.0], [1.0, -1.0]])

    total = loss(torch.tensor([[3.0, 3.0]]), labels, torch.arange(1))["class"]

    # logits 8 (1 - 0.2) = 6.4 and 0
    torch.testing.assert_close(total, torch.tensor(-6.4).exp().log1p())


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([[1, 0, 0]] * 4, id="identical labels"),
        pytest.param([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], id="one image without labels"),
        pytest.param([[0, 0, 0]] * 2, id="no labels"),
    ],
)
@pytest.mark.parametrize("size", [0.0, 100.0])
def test_it_is_finite_for_extreme_batches_and_codes(labels: list[list[int]], size: float) -> None:
    multi_hot = torch.tensor(labels, dtype=torch.float32)
    relaxed = (torch.randn(len(labels), 64) * size).requires_grad_()

    total = ready(multi_hot, bits=64)(relaxed, multi_hot, torch.arange(len(labels)))["class"]
    (gradient,) = torch.autograd.grad(total, relaxed)

    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()


def test_codes_of_the_classes_come_from_the_seed_and_survive_a_checkpoint() -> None:
    labels = torch.eye(38)
    first, second, other = (ready(labels, bits=48, seed=seed) for seed in (1, 1, 2))

    assert first.codebook.abs().eq(1).all()
    torch.testing.assert_close(first.codebook, second.codebook)
    assert not torch.equal(first.codebook, other.codebook)

    other.load_state_dict(first.state_dict())
    torch.testing.assert_close(other.codebook, first.codebook)


@pytest.mark.parametrize("name", ["scale", "margin"])
def test_a_negative_value_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 0, got -1"):
        OrthoHashLoss(**{name: -1})
