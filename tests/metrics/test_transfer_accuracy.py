import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from softhash.functional.codes import pack
from softhash.metrics.base import refuse_without_labels
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.transfer_accuracy import TransferAccuracy


def codes(rows: list[list[int]]) -> Tensor:
    return pack(torch.tensor(rows))


def test_classes_that_a_bit_tells_apart_are_learnt() -> None:
    database = codes([[1, 0], [1, 1], [0, 0], [0, 1]] * 5)
    labels = torch.tensor([[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 1, 1]] * 5)  # nothing to learn of the third
    query, query_labels = codes([[1, 0], [0, 1], [1, 1]]), torch.tensor([[1, 0, 0], [0, 1, 1], [0, 1, 1]])

    values = TransferAccuracy().score(query, query_labels, database, labels, bits=2)

    assert values.tolist() == [1.0, 1.0, 0.0]
    assert values.dtype == torch.float64


def test_of_two_single_labels_it_is_the_accuracy_of_a_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    database, query = (rng.integers(2, size=(count, 12)) for count in (200, 50))
    wanted, offered = (bits[:, :3].sum(1) + rng.integers(2, size=len(bits)) > 1 for bits in (query, database))
    classifier = LogisticRegression().fit(database * 2 - 1, offered)

    values = TransferAccuracy().score(
        pack(torch.from_numpy(query)), torch.from_numpy(np.eye(2, dtype=np.uint8)[wanted.astype(int)]),
        pack(torch.from_numpy(database)), torch.from_numpy(np.eye(2, dtype=np.uint8)[offered.astype(int)]), bits=12,
    )  # fmt: skip

    assert values.mean().item() == pytest.approx(classifier.score(query * 2 - 1, wanted))


def test_there_must_be_a_class_to_learn() -> None:
    one = codes([[1, 0]])
    with pytest.raises(ValueError, match="needs a class that some but not all of the 1 database images have"):
        TransferAccuracy().score(one, torch.tensor([[1]]), one, torch.tensor([[1]]), bits=2)


def test_it_is_refused_where_there_are_no_labels() -> None:
    refuse_without_labels([MeanAveragePrecision()])
    with pytest.raises(ValueError, match="transfer accuracy needs labels, and these data have a matrix"):
        refuse_without_labels([MeanAveragePrecision(), TransferAccuracy()])
