from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from softhash.losses.dcmh import DCMHLoss
from softhash.losses.dpsh import DPSHLoss

TEXTS = [[0.5, -0.6, 0.4, 0.3], [0.7, -0.2, -0.4, 0.9], [-0.6, 0.3, -0.5, 0.8], [0.2, -0.7, 0.6, 0.1]]
CODES = [[1, -1, 1, 1], [1, -1, -1, 1], [-1, 1, -1, 1], [1, -1, 1, 1]]  # signs of F + G

Array = NDArray[np.float64]


def texts() -> Tensor:
    return torch.tensor(TEXTS, dtype=torch.float64, requires_grad=True)


def ready(fixture_f: SimpleNamespace, **options: float) -> DCMHLoss:
    """The loss at the start of an epoch, when all images and texts have been seen."""
    loss = DCMHLoss(**options)  # type: ignore[arg-type]
    loss.setup(fixture_f.train)
    loss.double()
    loss.images.relaxed[:], loss.texts.relaxed[:] = fixture_f.relaxed.detach(), texts().detach()
    loss.on_epoch_start(1, fixture_f.train)
    return loss


def objective(f: Array, g: Array, y: Array, gamma: float, eta: float, rows: int = 4) -> float:
    """J of the paper in plain loops, where one of F and G has that many rows in the batch."""
    total, codes = 0.0, np.array(CODES)
    for i, j in product(range(len(f)), range(len(g))):
        if i < rows:
            theta = 0.5 * float(f[i] @ g[j])
            total += np.log(1 + np.exp(theta)) - (theta if y[i] @ y[j] > 0 else 0.0)
    return total + gamma * ((codes - f)[:rows] ** 2).sum() + eta * (f.sum(0) ** 2).sum()


def test_value_and_gradient_of_the_papers_objective(fixture_f: SimpleNamespace) -> None:
    """J = 32.579423 and its gradient for the first image come from plain array code and central differences."""
    terms = ready(fixture_f)(fixture_f.relaxed, fixture_f.labels, fixture_f.rows, texts())
    (gradient,) = torch.autograd.grad(16 * torch.stack(list(terms.values())).sum(), fixture_f.relaxed)

    value = 16 * (terms["pair"] / 2 + terms["quantization"] + terms["balance"]).item()  # J has each pair once
    assert value == pytest.approx(32.579423, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([2.498946, 0.016782, -1.601069, 3.155672], abs=1e-6)


@pytest.mark.parametrize(("gamma", "eta"), [(1.0, 1.0), (30.0, 0.5)])
def test_a_batch_has_the_gradients_of_its_rows_for_either_network(
    gamma: float, eta: float, fixture_f: SimpleNamespace
) -> None:
    loss, rows = ready(fixture_f, quantization_weight=gamma, balance_weight=eta), torch.arange(2)
    images, words = fixture_f.relaxed.detach()[:2].requires_grad_(), texts().detach()[:2].requires_grad_()

    terms = loss(images, fixture_f.labels[:2], rows, words)
    gradients = torch.autograd.grad(torch.stack(list(terms.values())).sum(), (images, words))

    step, f, g = 1e-5, fixture_f.relaxed.detach().numpy(), np.array(TEXTS)
    for own, other, gradient in ((f, g, gradients[0]), (g, f, gradients[1])):
        for place in np.ndindex(2, 4):
            above, below = own.copy(), own.copy()
            above[place] += step
            below[place] -= step
            values = [objective(part, other, fixture_f.labels.numpy(), gamma, eta, rows=2) for part in (above, below)]
            slope = (values[0] - values[1]) / (2 * step) / 8  # two images with four
            assert gradient[place].item() == pytest.approx(slope, abs=1e-5)


def test_common_codes_are_the_signs_of_image_and_text_and_0_before_these_were_seen(fixture_f: SimpleNamespace) -> None:
    loss = DCMHLoss()
    loss.setup(fixture_f.train)
    loss.on_epoch_start(0, fixture_f.train)

    assert loss.codes.abs().sum() == 0
    assert ready(fixture_f).codes.tolist() == CODES


def test_images_alone_have_the_likelihood_of_dpsh_and_balanced_bits(fixture_f: SimpleNamespace) -> None:
    dpsh = DPSHLoss()
    dpsh.setup(fixture_f.train)
    dpsh.double()
    dpsh.bank.relaxed[:] = fixture_f.relaxed.detach()
    images = fixture_f.relaxed[:2]

    terms = ready(fixture_f)(images, fixture_f.labels[:2], fixture_f.rows[:2])

    expected = dpsh(images, fixture_f.labels[:2], fixture_f.rows[:2])["pair"]
    torch.testing.assert_close(terms["pair"], expected)
    # Sums of the bits of F: 1.4, -0.7, 0, 2.1; divided by 2 x 4 pairs.
    assert terms["balance"].item() == pytest.approx((1.4**2 + 0.7**2 + 2.1**2) / 8)


@pytest.mark.parametrize(
    "labels", [[[1, 0], [1, 0], [1, 0]], [[1, 0], [0, 1], [0, 0]], [[0, 0], [0, 0], [0, 0]], [[1, 0], [0, 1]]]
)
def test_images_and_texts_of_extreme_batches_have_finite_gradients(labels: list[list[int]]) -> None:
    loss, count = DCMHLoss(), len(labels)
    loss.setup(SimpleNamespace(labels=torch.tensor(labels, dtype=torch.uint8), bits=8, similarity=None))
    images, words = (torch.full((count, 8), value, requires_grad=True) for value in (100.0, -100.0))

    for epoch in range(2):
        loss.on_epoch_start(epoch, None)  # type: ignore[arg-type]
        terms = loss(images, torch.tensor(labels).float(), torch.arange(count), words)

    total = torch.stack(list(terms.values())).sum()
    assert torch.isfinite(total)
    assert all(torch.isfinite(gradient).all() for gradient in torch.autograd.grad(total, (images, words)))


def test_what_it_remembers_of_both_survives_a_checkpoint(fixture_f: SimpleNamespace) -> None:
    loss, restored = ready(fixture_f), DCMHLoss()
    restored.setup(fixture_f.train)
    restored.double()

    restored.load_state_dict(loss.state_dict())

    given = (fixture_f.relaxed[:2] + 1, fixture_f.labels[:2], fixture_f.rows[:2], texts()[:2] - 1)
    torch.testing.assert_close(restored(*given), loss(*given), rtol=0, atol=0)


@pytest.mark.parametrize("weight", ["quantization_weight", "balance_weight"])
def test_a_negative_weight_is_refused(weight: str) -> None:
    with pytest.raises(ValueError, match=f"{weight} must be at least 0, got -1"):
        DCMHLoss(**{weight: -1.0})  # type: ignore[arg-type]
