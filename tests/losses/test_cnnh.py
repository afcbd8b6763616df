from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.losses.cnnh import CNNHLoss, factorize

Array = NDArray[np.float64]


def objective(codes: Array, target: Array) -> float:
    return float(((target - codes @ codes.T / codes.shape[1]) ** 2).sum())


def slow(codes: Array, target: Array, order: list[int]) -> Array:
    """The algorithm with the whole residual in memory, one entry after the other."""
    codes, bits = codes.copy(), codes.shape[1]
    for i in order:
        for k in range(bits):
            residual = codes @ codes.T - bits * target
            first, second = residual[i] @ codes[:, k], codes[:, k] @ codes[:, k] + codes[i, k] ** 2 + residual[i, i]
            codes[i, k] = np.clip(codes[i, k] - first / second, -1, 1)
    return codes


def test_the_first_stage_on_four_images(fixture_f: SimpleNamespace) -> None:
    codes = fixture_f.relaxed.detach().numpy().copy()
    target = 2.0 * (fixture_f.labels @ fixture_f.labels.T > 0).numpy() - 1
    assert objective(codes, target) == pytest.approx(12.389163, abs=1e-6)

    factorize(codes, target.__getitem__, np.arange(4))
    assert objective(codes, target) == pytest.approx(5.918195, abs=1e-6)
    assert codes[0].tolist() == pytest.approx([-1, 1, 1, 1])

    for _ in range(9):
        factorize(codes, target.__getitem__, np.arange(4))
    assert objective(codes, target) == pytest.approx(4, abs=1e-6)
    assert np.sign(codes).tolist() == [[-1, 1, -1, 1], [1, 1, -1, 1], [-1, 1, 1, 1], [-1, 1, -1, 1]]


def test_nothing_is_lost_by_keeping_no_residual() -> None:
    rng = np.random.default_rng(0)
    codes, labels, order = rng.uniform(-1, 1, (300, 5)), rng.integers(0, 2, (300, 3)), rng.permutation(300)
    target = 2.0 * (labels @ labels.T > 0) - 1
    expected = slow(codes[:40], target[:40, :40], order[order < 40].tolist())
    some, every = codes[:40].copy(), codes.copy()

    factorize(some, target[:40, :40].__getitem__, order[order < 40])
    factorize(every, target.__getitem__, order)  # more images than are compared at once

    np.testing.assert_allclose(some, expected)
    np.testing.assert_allclose(every, slow(codes, target, order.tolist()))


def ready(labels: torch.Tensor, bits: int, sweeps: int = 5, seed: int = 0) -> CNNHLoss:
    train = SimpleNamespace(labels=labels.to(torch.uint8), bits=bits, similarity=None)
    loss = CNNHLoss(sweeps, seed)
    loss.setup(train)  # type: ignore[arg-type]
    loss.on_epoch_start(0, train)  # type: ignore[arg-type]
    return loss


def test_images_of_a_class_get_almost_equal_codes_and_others_different_ones() -> None:
    codes = ready(torch.eye(2).repeat(20, 1), bits=8).codes
    inner = codes @ codes.T / 8

    same = torch.eye(2).repeat(20, 1) @ torch.eye(2).repeat(20, 1).T > 0
    assert inner[same].mean() > 0.9
    assert inner[~same].mean() < -0.9


def test_the_network_learns_the_codes(fixture_f: SimpleNamespace) -> None:
    loss, batch = ready(fixture_f.labels, bits=4), [2, 0]
    z = fixture_f.relaxed[batch].detach().requires_grad_()

    terms = loss(z, fixture_f.labels[batch], torch.tensor(batch))
    (gradient,) = torch.autograd.grad(terms["code"], z)

    codes = loss.codes[batch].double()
    torch.testing.assert_close(terms["code"], (1 + (-codes * z).exp()).log().mean())
    torch.testing.assert_close(gradient, -codes * (-codes * z).sigmoid().detach() / 8)


def test_codes_come_from_the_seed_and_survive_a_checkpoint() -> None:
    labels = torch.eye(4).repeat(5, 1)
    first, second, other = ready(labels, 8, seed=1), ready(labels, 8, seed=1), ready(labels, 8, seed=2)

    assert torch.equal(first.codes, second.codes)
    assert not torch.equal(first.codes, other.codes)

    other.load_state_dict(first.state_dict())
    other.on_epoch_start(1, SimpleNamespace())  # type: ignore[arg-type]
    assert torch.equal(first.codes, other.codes)


def test_no_sweep_is_refused() -> None:
    with pytest.raises(ValueError, match="sweeps must be at least 1, got 0"):
        CNNHLoss(sweeps=0)
