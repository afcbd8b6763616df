from types import SimpleNamespace

import torch

from softhash.losses.dhn import DHNLoss
from softhash.losses.dpsh import DPSHLoss

MATRIX = torch.tensor([[1.0, 0.25, 0.5], [0.25, 1.0, 0.0], [0.5, 0.0, 1.0]])


def given() -> SimpleNamespace:
    """A training set of three images whose similarities are a matrix."""
    return SimpleNamespace(
        labels=torch.zeros(3, 0), bits=2, similarity=lambda rows, others: MATRIX[rows[:, None], others]
    )


def test_pairs_of_a_batch_are_as_similar_as_the_matrix_of_the_training_set_says() -> None:
    loss = DHNLoss()
    loss.setup(given())

    similar = loss.pairs(torch.zeros(2, 0), torch.tensor([2, 0]))

    assert similar.tolist() == [[1.0, 0.5], [0.5, 1.0]]


def test_so_are_pairs_with_a_memory_bank() -> None:
    loss = DPSHLoss(quantization_weight=0)
    loss.setup(given())
    theta = torch.zeros(1, 3)

    pair = loss(torch.zeros(1, 2), torch.zeros(1, 0), torch.tensor([1]))["pair"]

    torch.testing.assert_close(pair, theta.exp().log1p().mean())  # theta = 0, so similarity does not count
    assert loss.pairs(torch.zeros(1, 0), torch.tensor([1]), loss.bank.labels, loss.bank.rows).tolist() == [
        [0.25, 1.0, 0.0]
    ]
