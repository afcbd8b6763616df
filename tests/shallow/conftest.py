from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from softhash.functional.codes import pack


class Digits(NamedTuple):
    """Handwritten digits, rows of unit length; the training rows are the database."""

    train: NDArray[np.float64]
    queries: NDArray[np.float64]
    labels: NDArray[np.uint8]
    relevant: NDArray[np.bool_]


@pytest.fixture(scope="session")
def digits() -> Digits:
    data = load_digits()
    features = data.data / np.linalg.norm(data.data, axis=1, keepdims=True)
    train, queries, labels, query_labels = train_test_split(
        features, data.target, test_size=300, stratify=data.target, random_state=0
    )
    return Digits(train, queries, np.eye(10, dtype=np.uint8)[labels], query_labels[:, None] == labels[None])


def distances(estimator: Any, queries: NDArray[np.float64], items: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of queries to items: Hamming, or by the tables of the estimator."""
    bits = [estimator.transform(rows) > 0 for rows in (queries, items)]
    if not hasattr(estimator, "tables"):
        return (bits[0][:, None] != bits[1][None]).sum(2)
    codes, tables = pack(torch.from_numpy(bits[1])).numpy(), estimator.tables(queries)
    return -sum(tables[:, byte][:, codes[:, byte]] for byte in range(codes.shape[1]))


Finds = Callable[..., float]


@pytest.fixture
def finds(digits: Digits) -> Finds:
    """mAP over the whole ranking of an estimator fitted on the digits, equal distances in the order of rows."""

    def mean_average_precision(estimator: Any) -> float:
        estimator.fit(digits.train, digits.labels)
        order = distances(estimator, digits.queries, digits.train).argsort(1, kind="stable")
        found = np.take_along_axis(digits.relevant, order, 1)
        precision = found.cumsum(1) / np.arange(1, found.shape[1] + 1)
        return float(((precision * found).sum(1) / found.sum(1)).mean())

    return mean_average_precision
