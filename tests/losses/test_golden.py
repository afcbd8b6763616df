"""Value, and gradient of the first row, of every loss on one fixture.

The numbers were worked out from the formulas in plain array code with central differences; where authors or
re-implementations have released PyTorch code, its loss was run on the fixture and agrees.
"""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from softhash.losses.csq import CSQLoss
from softhash.losses.dhn import DHNLoss
from softhash.losses.dpsh import DPSHLoss
from softhash.losses.hashnet import HashNetLoss
from softhash.losses.idhn import IDHNLoss
from softhash.losses.isdh import ISDHLoss

BATCH = {
    "IDHN, official": (IDHNLoss(), 0.167248, [-0.038489, 0.021203, -0.036648, -0.041961]),
    "IDHN, paper": (IDHNLoss("paper"), 0.173242, [-0.038161, 0.020657, -0.033476, -0.044040]),
    "ISDH": (ISDHLoss(), 1.250908, [-0.319995, 0.144175, -0.309296, -0.357887]),
    "DHN, code": (DHNLoss(), 0.551847, [-0.010753, -0.012680, 0.038723, -0.079116]),
    "DHN, paper": (DHNLoss(0.5, 0.1), 0.592580, [-0.023048, 0.008177, 0.008299, -0.052034]),
    "HashNet, official": (
        HashNetLoss(similar_weight=5),
        0.692618,
        [0.310161, -0.454595, 0.553763, -0.233626],
    ),
    "HashNet, balanced": (HashNetLoss("balanced"), 0.849315, [0.123995, -0.190656, 0.253242, -0.121218]),
    "HashNet, Jaccard": (HashNetLoss("jaccard"), 0.430552, [0.027776, -0.055602, 0.069813, -0.056028]),
}

BANK = {
    "IDHN, DeepHash-pytorch": (IDHNLoss("dhp"), 0.329175, [-0.045702, 0.032766, -0.030005, -0.048554]),
    "DPSH, authors' lab": (DPSHLoss(50), 15.268284, [-1.272425, 7.504820, -9.987551, -3.800214]),
    # DeepHash-pytorch has 0.1 times a mean over bits: eta K / N = 0.1 with K = N = 4.
    "DPSH, DeepHash-pytorch": (DPSHLoss(0.1), 0.547784, [-0.024925, 0.019820, -0.007551, -0.057714]),
}


def check(total: Tensor, relaxed: Tensor, value: float, gradient: list[float], tolerance: float) -> None:
    (actual,) = torch.autograd.grad(total, relaxed)
    torch.testing.assert_close(total, total.new_tensor(value), rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(actual[0], actual.new_tensor(gradient), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-6), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", BATCH)
def test_a_loss_on_pairs_of_the_batch(
    name: str, dtype: torch.dtype, tolerance: float, fixture_f: SimpleNamespace
) -> None:
    loss, value, gradient = BATCH[name]
    relaxed = fixture_f.relaxed.detach().to(dtype).requires_grad_()

    terms = loss(relaxed, fixture_f.labels.to(dtype), fixture_f.rows)

    check(sum(terms.values()), relaxed, value, gradient, tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-6), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", BANK)
def test_a_loss_on_the_batch_and_the_training_set(
    name: str, dtype: torch.dtype, tolerance: float, fixture_f: SimpleNamespace
) -> None:
    loss, value, gradient = BANK[name]
    loss.setup(fixture_f.train)
    loss.to(dtype)
    loss.bank.relaxed[:] = fixture_f.relaxed.detach().to(dtype)
    relaxed = fixture_f.relaxed.detach().to(dtype)[:2].requires_grad_()

    terms = loss(relaxed, fixture_f.labels.to(dtype)[:2], fixture_f.rows[:2])

    check(sum(terms.values()), relaxed, value, gradient, tolerance)


def test_csq_with_given_centres(fixture_f: SimpleNamespace) -> None:
    loss = CSQLoss(1e-4)
    loss.setup(fixture_f.train)
    loss.centers[:] = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]])
    loss.tie[:] = torch.tensor([1.0, -1, -1, 1])
    relaxed = fixture_f.relaxed

    terms = loss(relaxed.atanh(), fixture_f.labels, fixture_f.rows)  # the loss applies tanh itself

    check(sum(terms.values()), relaxed, 0.642138, [-0.032896, 0.044650, -0.052093, -0.036768], 2e-6)


def test_each_pair_of_idhn(fixture_f: SimpleNamespace) -> None:
    loss = IDHNLoss(quantization_weight=0)
    whole = fixture_f.relaxed.detach()

    def of_pair(i: int, j: int) -> float:
        """Solve the means over (i, i), (i, j), (j, i), (j, j) and over (i, i), (j, j) for the pair's own cost."""
        both = torch.tensor([i, j])
        alone = [loss(whole[[k]], fixture_f.labels[[k]], torch.tensor([k]))["pair"] for k in (i, j)]
        return float(4 * loss(whole[both], fixture_f.labels[both], both)["pair"] - sum(alone)) / 2

    alone = float(loss(whole[[0]], fixture_f.labels[[0]], torch.tensor([0]))["pair"])
    row = [alone, *(of_pair(0, j) for j in (1, 2, 3))]

    assert row == pytest.approx([0.142675, 0.001362, 0.003062, 0.246415], abs=1e-6)
    assert of_pair(1, 2) == pytest.approx(0.378918, abs=1e-6)


def test_the_terms_of_idhn_are_logged_with_their_weights(fixture_f: SimpleNamespace) -> None:
    terms = IDHNLoss()(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)

    assert terms["pair"].item() == pytest.approx(0.120998, abs=1e-6)
    assert terms["quantization"].item() == pytest.approx(0.1 * 0.462500, abs=1e-6)


def of_every_kind() -> dict[str, nn.Module]:
    return {name: entry[0] for name, entry in (BATCH | BANK).items()} | {"CSQ": CSQLoss()}


@pytest.mark.parametrize("name", of_every_kind())
@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([[1, 0, 0]] * 4, id="identical labels"),
        pytest.param([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], id="no similar pair"),
        pytest.param([[1, 1, 0], [0, 1, 0]], id="two images"),
    ],
)
def test_a_loss_is_finite_for_extreme_batches_and_codes(name: str, labels: list[list[int]]) -> None:
    loss = of_every_kind()[name]
    multi_hot = torch.tensor(labels, dtype=torch.float32)
    if hasattr(loss, "setup"):
        loss.setup(SimpleNamespace(labels=multi_hot, bits=64))
        loss.float()
    relaxed = (torch.randn(len(labels), 64, generator=torch.Generator().manual_seed(0)) * 100).requires_grad_()

    total = sum(loss(relaxed, multi_hot, torch.arange(len(labels))).values())
    (gradient,) = torch.autograd.grad(total, relaxed)

    assert torch.isfinite(total)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", [name for name in of_every_kind() if name != "HashNet, official"])
def test_the_order_of_a_batch_does_not_matter(name: str, fixture_f: SimpleNamespace) -> None:
    loss = of_every_kind()[name]
    if hasattr(loss, "setup"):
        loss.setup(fixture_f.train)
        loss.double()
    order = torch.tensor([2, 0, 3, 1])

    first = sum(loss(fixture_f.relaxed, fixture_f.labels, fixture_f.rows).values())
    second = sum(loss(fixture_f.relaxed[order], fixture_f.labels[order], order).values())

    torch.testing.assert_close(first, second)
