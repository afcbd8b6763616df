from types import SimpleNamespace

import pytest
import torch

from softhash.losses.csq import CSQLoss, hash_centers


def distances(centers: torch.Tensor) -> torch.Tensor:
    half = (centers.shape[1] - centers @ centers.T) / 2
    return half[~torch.eye(len(centers), dtype=torch.bool)]


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_hadamard_centres_are_half_the_bits_apart_or_opposite(bits: int) -> None:
    centers = hash_centers(2 * bits, bits, torch.Generator())

    assert set(distances(centers).tolist()) == {bits / 2, float(bits)}


@pytest.mark.parametrize(("num_classes", "bits"), [(38, 48), (38, 12), (81, 24), (21, 36), (100, 16), (1, 5)])
def test_random_centres_are_balanced_and_different(num_classes: int, bits: int) -> None:
    centers = hash_centers(num_classes, bits, torch.Generator().manual_seed(0))

    assert centers.shape == (num_classes, bits)
    assert (centers == 1).sum(1).tolist() == [bits // 2] * num_classes
    assert num_classes == 1 or distances(centers).min() > 0


def test_random_centres_are_more_than_a_quarter_of_the_bits_apart_where_there_is_room() -> None:
    assert distances(hash_centers(10, 48, torch.Generator().manual_seed(0))).min() > 12


def test_centres_and_ties_come_from_the_seed_and_survive_a_checkpoint() -> None:
    train = SimpleNamespace(labels=torch.eye(38), bits=48, similarity=None)
    first, second, other = CSQLoss(seed=1), CSQLoss(seed=1), CSQLoss(seed=2)
    for loss in (first, second, other):
        loss.setup(train)

    torch.testing.assert_close(first.centers, second.centers)
    torch.testing.assert_close(first.tie, second.tie)
    assert not torch.equal(first.centers, other.centers)

    other.load_state_dict(first.state_dict())
    torch.testing.assert_close(other.centers, first.centers)


def test_the_authors_code_with_given_centres(fixture_f: SimpleNamespace) -> None:
    loss = CSQLoss(1e-4)
    loss.setup(fixture_f.train)
    loss.centers[:] = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]])
    loss.tie[:] = torch.tensor([1.0, -1, -1, 1])
    relaxed = fixture_f.relaxed

    total = sum(loss(relaxed.atanh(), fixture_f.labels, fixture_f.rows).values())  # the loss applies tanh itself
    (gradient,) = torch.autograd.grad(total, relaxed)

    assert total.item() == pytest.approx(0.642138, abs=2e-6)
    assert gradient[0].tolist() == pytest.approx([-0.032896, 0.044650, -0.052093, -0.036768], abs=2e-6)
