import torch
from torch import Tensor

from softhash.functional.similarity import cosine
from softhash.losses.bank import TILE, MemoryBank


def test_a_write_replaces_its_rows_only_and_is_constant_for_autograd() -> None:
    bank = MemoryBank(torch.eye(3, dtype=torch.uint8), bits=2)
    codes = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)

    bank.write(torch.tensor([2, 0]), codes)

    assert bank.relaxed.tolist() == [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]
    assert not bank.relaxed.requires_grad


def test_a_bank_survives_a_checkpoint() -> None:
    bank, restored = (MemoryBank(torch.eye(3, dtype=torch.uint8), bits=2) for _ in range(2))
    bank.write(torch.tensor([1]), torch.tensor([[5.0, 6.0]]))

    restored.load_state_dict(bank.state_dict())

    assert restored.relaxed.tolist() == [[0.0, 0.0], [5.0, 6.0], [0.0, 0.0]]


def test_the_mean_by_tiles_is_that_of_whole_matrices_and_so_is_its_gradient() -> None:
    torch.manual_seed(0)
    rows = 2 * TILE + 3
    bank = MemoryBank((torch.rand(rows, 4) < 0.4).to(torch.uint8), bits=6)
    bank.relaxed.normal_()
    relaxed = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    labels = bank.labels[:5].double()

    def cost(codes: Tensor, others: Tensor, similarity: Tensor) -> Tensor:
        return (codes @ others.T - similarity).square()

    tiled = bank.mean(cost, relaxed, lambda others, _: cosine(labels, others))
    whole = cost(relaxed, bank.relaxed.double(), cosine(labels, bank.labels.double())).mean()

    torch.testing.assert_close(tiled, whole)
    assert tiled.dtype == torch.float64
    for scale in (1.0, 3.0):  # the gradient of what follows is taken into account
        (expected,) = torch.autograd.grad(scale * whole, relaxed, retain_graph=True)
        torch.testing.assert_close(torch.autograd.grad(scale * tiled, relaxed, retain_graph=True)[0], expected)


def test_each_row_of_the_bank_is_compared_once_with_its_own_labels() -> None:
    bank = MemoryBank(torch.eye(3, dtype=torch.uint8), bits=2)
    seen: list[int] = []

    def pairs(labels: Tensor, rows: Tensor) -> Tensor:
        seen.extend(rows.tolist())
        assert labels.argmax(1).tolist() == rows.tolist()
        return torch.zeros(1, len(rows))

    bank.mean(lambda codes, others, similarity: codes @ others.T + similarity, torch.zeros(1, 2), pairs)

    assert seen == [0, 1, 2]


def test_without_a_gradient_the_mean_has_none() -> None:
    bank = MemoryBank(torch.eye(3, dtype=torch.uint8), bits=2)

    mean = bank.mean(lambda codes, others, _: codes @ others.T + 1, torch.ones(2, 2), lambda *_: torch.zeros(2, 3))

    assert mean == 1
    assert not mean.requires_grad
