from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.precision import Precision
from softhash.metrics.scorer import retrieval_scorer
from softhash.metrics.scores import evaluate_scores
from softhash.shallow.pq import PQ


class Signs(TransformerMixin, BaseEstimator):
    """The features are the relaxed codes, or with ``flat`` all are equal."""

    def __init__(self, flat: bool = False) -> None:
        self.flat = flat

    def fit(self, features: NDArray[Any], labels: object = None) -> "Signs":
        return self

    def transform(self, features: NDArray[Any]) -> NDArray[Any]:
        return np.zeros_like(features) if self.flat else features


CODES = np.array([[1.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0]])


def test_each_row_is_a_query_against_the_others_by_shared_labels() -> None:
    labels = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])

    # distances of the rows to the others: 0 1 2; 0 1 2; 1 1 1 (a tie); 2 2 1
    # relevant at ranks 2; 3; one of three; one of the two last
    expected = (1 / 2 + 1 / 3 + (1 + 1 / 2 + 1 / 3) / 3 + (1 / 2 + 1 / 3) / 2) / 4
    assert retrieval_scorer(MeanAveragePrecision())(Signs(), CODES, labels) == pytest.approx(expected)


def test_classes_are_labels_of_one_class_each() -> None:
    scorer = retrieval_scorer(Precision(1))

    assert scorer(Signs(), CODES, np.array(["a", "a", "b", "b"])) == scorer(Signs(), CODES, np.eye(2)[[0, 0, 1, 1]])


def test_an_estimator_that_has_tables_is_ranked_by_them_also_at_the_end_of_a_pipeline() -> None:
    rng = np.random.default_rng(0)
    classes = np.arange(60) % 3
    features = rng.standard_normal((60, 6)) + 2 * np.eye(6)[classes]
    pipeline = make_pipeline(StandardScaler(), PQ(bits=8, bits_per_block=4, random_state=0)).fit(features)

    value = retrieval_scorer(MeanAveragePrecision())(pipeline, features, classes)

    scaled, pq = pipeline[0].transform(features), pipeline[-1]
    blocks = np.stack([scaled[:, :3], scaled[:, 3:]])
    decoded = [c[((b[:, None] - c[None]) ** 2).sum(2).argmin(1)] for b, c in zip(blocks, pq.centers_, strict=True)]
    scores = -((scaled[:, None] - np.hstack(decoded)[None]) ** 2).sum(2)
    others = ~np.eye(60, dtype=bool)
    relevant = classes[:, None] == classes[None]
    by_hand = evaluate_scores(
        [MeanAveragePrecision()],
        torch.from_numpy(scores[others].reshape(60, 59)),
        torch.from_numpy(relevant[others].reshape(60, 59)).float(),
    )
    assert value == pytest.approx(by_hand["mAP"].expected, abs=1e-3)  # float32 tables


def test_a_search_finds_the_better_parameter() -> None:
    classes = np.arange(40) % 2
    features = np.where(np.eye(2)[classes] > 0, 1.0, -1.0)

    search = GridSearchCV(Signs(), {"flat": [True, False]}, scoring=retrieval_scorer(MeanAveragePrecision()), cv=2)

    assert search.fit(features, classes).best_params_ == {"flat": False}
