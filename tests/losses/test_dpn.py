from types import SimpleNamespace

import pytest
import torch

from softhash.losses.dpn import DPNLoss

CODES = [[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1]]


def ready(train: SimpleNamespace, variant: str = "official", refresh: int = 0) -> DPNLoss:
    loss = DPNLoss(variant, refresh=refresh)  # type: ignore[arg-type]
    loss.setup(train)
    loss.codebook[:] = torch.tensor(CODES)
    loss.tie[:] = torch.tensor([1.0, -1, -1, 1])
    return loss


@pytest.mark.parametrize(
    ("variant", "value", "gradient"),
    [("official", 6.2, [-0.5, 0.0, -0.5, 0.0]), ("dhp", 0.7625, [-0.0625, 0.0625, -0.0625, -0.0625])],
)
def test_value_and_gradient(fixture_f: SimpleNamespace, variant: str, value: float, gradient: list[float]) -> None:
    total = ready(fixture_f.train, variant)(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)["polarization"]
    (actual,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(value, abs=1e-6)
    assert actual[0].tolist() == pytest.approx(gradient, abs=1e-6)


def test_the_code_of_a_class_becomes_the_majority_of_its_images_when_it_is_time(fixture_f: SimpleNamespace) -> None:
    loss = ready(fixture_f.train, refresh=2)
    fixture_f.train.encode = lambda: (torch.zeros(4, 5), fixture_f.relaxed.detach().float())

    loss.on_epoch_start(0, fixture_f.train)
    loss.on_epoch_start(1, fixture_f.train)
    assert loss.codebook.tolist() == CODES

    loss.on_epoch_start(2, fixture_f.train)
    assert loss.codebook.tolist() == [[1, -1, 1, 1], [1, -1, 1, 1], [-1, 1, -1, 1]]


def test_a_bit_that_is_split_stays() -> None:
    codes = torch.tensor([[-1.0, -1, 1, 1], [1, -1, -1, 1]])
    train = SimpleNamespace(labels=torch.tensor([[1, 0, 0], [1, 0, 0]]), bits=4, encode=lambda: (None, codes))
    loss = ready(train, refresh=1)

    loss.on_epoch_start(1, train)

    assert loss.codebook.tolist() == [[1, -1, 1, 1], *CODES[1:]]


def test_codes_come_from_the_seed_and_survive_a_checkpoint() -> None:
    train = SimpleNamespace(labels=torch.eye(38), bits=48)
    first, second, other = (DPNLoss(seed=seed) for seed in (1, 1, 2))
    for loss in (first, second, other):
        loss.setup(train)

    torch.testing.assert_close(first.codebook, second.codebook)
    assert not torch.equal(first.codebook, other.codebook)
    other.load_state_dict(first.state_dict())
    torch.testing.assert_close(other.codebook, first.codebook)
