from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.functional.similarity import count
from softhash.losses.dtsh import DTSHLoss

Golden = Callable[..., None]


def official(relaxed: torch.Tensor, bank: torch.Tensor, similarity: torch.Tensor, **options: Any) -> DTSHLoss:
    """The loss with codes in the bank, and given similarities of all images."""
    loss = DTSHLoss("official", **options)
    loss.setup(
        SimpleNamespace(
            labels=torch.zeros(len(bank), 0),
            bits=relaxed.shape[1],
            similarity=lambda rows, others: similarity[rows][:, others],
        )  # type: ignore[arg-type]
    )
    loss.double()
    loss.bank.relaxed[:] = bank
    return loss


def test_all_triplets_of_a_batch(golden: Golden) -> None:
    golden(DTSHLoss(), 1.936653, [-0.013094, 0.073334, -0.027386, -0.090845])


def test_deephash_pytorch(golden: Golden) -> None:
    golden(DTSHLoss("dhp", margin=5), 4.163421, [-0.025727, 0.087115, 0.065080, -0.167229])


def test_the_authors_code_on_one_triplet(fixture_f: SimpleNamespace) -> None:
    codes = fixture_f.relaxed.detach()[:3]
    query = codes[:1].clone().requires_grad_()
    similarity = torch.tensor([[1.0, 1, 0], [0, 0, 0], [0, 0, 0]])
    loss = official(codes, codes, similarity, margin=2, quantization_weight=100)

    total = 3 * sum(
        loss(query, torch.zeros(1, 0, dtype=torch.float64), torch.tensor([0])).values()
    )  # 1 image, 3 in the training set
    (gradient,) = torch.autograd.grad(total, query)

    assert total.item() == pytest.approx(111.353765, abs=2e-6)
    assert gradient[0].tolist() == pytest.approx([-20.407954, 120.556300, -160.296694, -60.074173], abs=2e-6)


def slow(u: NDArray[np.float64], bank: NDArray[np.float64], similarity: NDArray[np.float64], drawn: list[int]) -> float:
    """The authors' objective for the first images of a training set, in plain loops: margin K/2, eta 1."""
    total = float(((u - np.where(u > 0, 1, -1)) ** 2).sum())
    drawn = [row for row in drawn if row >= len(u)]
    for q in range(len(u)):
        for p in drawn:
            for n in drawn:
                if similarity[q, p] > similarity[q, n]:
                    gap = u[q] @ bank[p] / 2 - u[q] @ bank[n] / 2 - u.shape[1] / 2
                    total += np.log1p(np.exp(-gap))
    return total / (len(u) * len(bank))


def test_the_rest_of_the_training_set_is_drawn_from_anew_in_each_step() -> None:
    rng = torch.Generator().manual_seed(0)
    bank = torch.randn(12, 4, generator=rng, dtype=torch.float64)
    similarity = torch.randint(3, (12, 12), generator=rng).double()
    u = torch.randn(3, 4, generator=rng, dtype=torch.float64).requires_grad_()
    loss = official(u, bank, similarity, num_samples=7, seed=5)
    totals = []
    for step in (0, 3):
        loss.bank.relaxed[:] = bank
        loss.on_step(step, 10)
        drawn = torch.randperm(12, generator=torch.Generator().manual_seed((5 << 32) + step))[:7].tolist()

        total = sum(loss(u, torch.zeros(3, 0, dtype=torch.float64), torch.arange(3)).values())
        (gradient,) = torch.autograd.grad(total, u)

        given = bank.numpy(), similarity.numpy(), drawn
        assert total.item() == pytest.approx(slow(u.detach().numpy(), *given))
        for place in np.ndindex(3, 4):
            above, below = u.detach().numpy().copy(), u.detach().numpy().copy()
            above[place] += 1e-6
            below[place] -= 1e-6
            assert gradient[place].item() == pytest.approx((slow(above, *given) - slow(below, *given)) / 2e-6, abs=1e-6)
        totals.append(total.item())
    assert totals[0] != totals[1]
    torch.testing.assert_close(loss.bank.relaxed[:3], u.detach())


def test_the_bank_begins_with_the_codes_of_the_untrained_network(fixture_f: SimpleNamespace) -> None:
    loss = DTSHLoss("official")
    loss.setup(fixture_f.train)
    fixture_f.train.encode = lambda: (None, fixture_f.relaxed.detach().float())

    loss.on_epoch_start(0, fixture_f.train)

    torch.testing.assert_close(loss.bank.relaxed, fixture_f.relaxed.detach().float())


def test_one_shared_label_is_farther_than_two() -> None:
    labels, relaxed = torch.tensor([[1.0, 1], [1, 1], [1, 0]]), torch.zeros(3, 4)

    terms = DTSHLoss(margin=0, similarity=count)(relaxed, labels, torch.arange(3))

    # of the first two images, each is nearer to both of them than to the third; all are as near to the third
    assert terms["triplet"].item() == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "paper"}, "variant must be one of batch, official, dhp, got 'paper'"),
        ({"margin": -1}, "margin must be at least 0, got -1"),
        ({"quantization_weight": -1}, "quantization_weight must be at least 0"),
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DTSHLoss(**arguments)
