from types import SimpleNamespace

import pytest
import torch

from softhash.losses.crh import CRHLoss, assign, random_heads

PROXIES = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7]]


def test_value_and_gradient_with_given_centres(fixture_f: SimpleNamespace) -> None:
    loss = CRHLoss()
    loss.setup(fixture_f.train)
    loss.centers = torch.tensor(PROXIES, dtype=torch.float64)

    total = sum(loss(fixture_f.relaxed, fixture_f.labels, fixture_f.rows).values())
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(1.063236, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.011466, -0.054322, 0.075779, -0.067434], abs=1e-6)


def test_heads_are_as_short_as_there_are_codes_enough_and_codes_differ() -> None:
    heads = random_heads(20, bits=16, rng=torch.Generator().manual_seed(0))

    assert heads.shape == (2, 20, 8)  # 4 bits have 16 codes
    assert [len(torch.unique(head, dim=0)) for head in heads] == [20, 20]
    assert heads.abs().eq(1).all()


def test_too_few_bits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"CRH needs 20 different codes, .* 4 bits have 16"):
        random_heads(20, bits=4, rng=torch.Generator())


def test_classes_take_the_nearest_code_that_is_left() -> None:
    heads = torch.tensor([[[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]], [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0]]])
    means = torch.tensor([[0.9, 0.8, -1.0, -1.0], [1.0, 0.9, 1.0, 1.0]])

    first, second = (assign(heads, means, torch.tensor(order)) for order in ([0, 1], [1, 0]))

    assert first.tolist() == [[1, 1, -1, -1], [1, -1, 1, 1]]
    assert second.tolist() == [[1, -1, -1, -1], [1, 1, 1, 1]]


def test_centres_are_assigned_before_the_first_epochs_and_some_later_ones(fixture_f: SimpleNamespace) -> None:
    loss, asked = CRHLoss(initial_epochs=3, interval=5), []
    loss.setup(fixture_f.train)
    codes = loss.heads[0, [5, 4, 3]]  # of the three classes
    train = SimpleNamespace(labels=torch.eye(3, dtype=torch.uint8), encode=lambda: (asked.append(1), codes))
    start = loss.centers.clone()

    loss.on_epoch_start(0, train)
    assert torch.equal(loss.centers, start)
    for epoch in range(1, 12):
        loss.on_epoch_start(epoch, train)

    assert len(asked) == 4  # before epochs 1, 2, 5 and 10
    torch.testing.assert_close(loss.centers, codes)


def test_an_image_counts_less_for_a_class_the_more_it_has() -> None:
    labels = torch.tensor([[1, 0], [1, 1]], dtype=torch.uint8)
    loss = CRHLoss()
    loss.setup(SimpleNamespace(labels=labels, bits=3))
    codes = torch.tensor([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    loss.heads[0, :2], loss.heads[0, 2:] = codes.flip(0), -1.0

    for epoch in range(1, 9):  # whichever class is the first to choose
        loss.on_epoch_start(epoch, SimpleNamespace(labels=labels, encode=lambda: (None, codes)))

        # Mean of the first class: ((1 - 1/2) / (3/2), 1, 1); without weights, (0, 1, 1) is as near to either code
        assert loss.centers.tolist() == codes.tolist()
