"""Metrics as scorers of scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softhash.functional.codes import pack
from softhash.metrics.base import RankingMetric
from softhash.metrics.evaluate import evaluate
from softhash.ranking.relevance import LabelRelevance

Scorer = Callable[[Any, NDArray[np.floating], NDArray[Any]], float]


def retrieval_scorer(metric: RankingMetric) -> Scorer:
    """A scorer ``(estimator, features, labels)`` for ``cross_val_score``, ``GridSearchCV`` and their like.

    Every row is a query against all the other rows, ranked by Hamming distance, or by the tables of an estimator that
    has them. Relevant are those that share a label with it. The score is expected over the orders of equal distances.

    Args:
        metric: Its cut-off is below the number of rows of a fold.

    Returns:
        Function of a fitted estimator or pipeline that gives relaxed codes ``(N, K)``, features ``(N, D)``, and labels:
        ``(N, C)`` multi-hot, or ``(N,)`` classes.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import cross_val_score
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from softhash.metrics.mean_average_precision import MeanAveragePrecision
        >>> from softhash.shallow.cca_itq import CCAITQ
        >>> features, classes = load_digits(return_X_y=True)
        >>> pipeline = make_pipeline(StandardScaler(), CCAITQ(bits=16, random_state=0))
        >>> scoring = retrieval_scorer(MeanAveragePrecision())
        >>> cross_val_score(pipeline, features, classes, scoring=scoring, cv=3).round(1)
        array([0.8, 0.8, 0.8])
    """

    def score(estimator: Any, features: NDArray[np.floating], labels: NDArray[Any]) -> float:
        relaxed = estimator.transform(features)
        codes = pack(torch.as_tensor(relaxed))
        queries = _tables(estimator, features)
        held = _multi_hot(np.asarray(labels))
        relevance = LabelRelevance(held, held)
        evaluation = evaluate(
            [metric], codes if queries is None else queries, codes, relevance, relaxed.shape[1], exclude_self=True
        )
        return evaluation.metrics[metric.name].expected

    return score


def _tables(estimator: Any, features: NDArray[np.floating]) -> Tensor | None:
    """``(N, W, 256)`` of an estimator, or of the last step of a pipeline; None if it has none."""
    if hasattr(estimator, "steps"):
        features = estimator[:-1].transform(features)
        estimator = estimator[-1]
    return torch.as_tensor(estimator.tables(features)) if hasattr(estimator, "tables") else None


def _multi_hot(labels: NDArray[Any]) -> Tensor:
    if labels.ndim == 1:
        classes, numbers = np.unique(labels, return_inverse=True)
        labels = np.eye(len(classes), dtype=np.uint8)[numbers]
    return torch.as_tensor(labels)
