from types import SimpleNamespace

import pytest
import torch

from softhash.losses.csq import hash_centers
from softhash.losses.mdsh import MDSHLoss, promised_distance, separate


def ready(train: SimpleNamespace, pair_weight: float = 1.0) -> MDSHLoss:
    loss = MDSHLoss(pair_weight)
    loss.setup(train)
    loss.centers = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]])
    return loss


def test_value_and_gradient_of_centres_and_quantisation(fixture_f: SimpleNamespace) -> None:
    total = sum(ready(fixture_f.train)(fixture_f.relaxed, fixture_f.labels, fixture_f.rows).values())
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(0.765958, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.018147, 0.043983, -0.046933, 0.015197], abs=1e-6)


def test_value_and_gradient_of_pairs_with_the_bank(fixture_f: SimpleNamespace) -> None:
    loss = ready(fixture_f.train).double()
    loss.bank.relaxed[:] = fixture_f.relaxed.detach()
    loss.on_epoch_start(9, fixture_f.train)

    pair = loss(fixture_f.relaxed[:2], fixture_f.labels[:2], fixture_f.rows[:2])["pair"]
    (gradient,) = torch.autograd.grad(pair, fixture_f.relaxed)

    assert pair.item() == pytest.approx(0.791324, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.011495, -0.004812, 0.012946, -0.021228], abs=1e-6)


def test_pairs_count_from_an_epoch_on(fixture_f: SimpleNamespace) -> None:
    loss = ready(fixture_f.train)

    counted = []
    for epoch in (8, 9, 20):
        loss.on_epoch_start(epoch, fixture_f.train)
        counted.append(bool(loss(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)["pair"] > 0))

    assert counted == [False, True, True]


@pytest.mark.parametrize(("num_classes", "bits"), [(80, 16), (81, 24), (38, 12)])
def test_centres_move_apart(num_classes: int, bits: int) -> None:
    start = hash_centers(num_classes, bits, torch.Generator().manual_seed(0))

    centers = separate(start)

    assert centers.abs().eq(1).all()
    assert nearest(centers) >= nearest(start)
    assert nearest(separate(torch.ones(4, 8))) >= promised_distance(4, 8)


def test_centres_that_are_as_far_apart_as_is_promised_stay() -> None:
    start = hash_centers(38, 32, torch.Generator())  # rows of a Hadamard matrix

    torch.testing.assert_close(separate(start), start)


def nearest(centers: torch.Tensor) -> float:
    distances = (centers.shape[1] - centers @ centers.T) / 2
    return float(distances[~torch.eye(len(centers), dtype=torch.bool)].min())
