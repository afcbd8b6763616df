"""Labels in the form that methods learn from, and rows that have some."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.blocks import Rows


def with_labels(features: NDArray[Any], labels: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
    """Rows that have labels; of the features no copy is made."""
    known = labels.any(1)
    return (features, labels) if known.all() else (Rows(features, np.flatnonzero(known)), labels[known])


def multi_hot(labels: NDArray[Any] | None, num_rows: int, method: str) -> NDArray[np.float64]:
    """``(N, C)`` labels of 0 and 1 from such, or from ``(N,)`` classes, numbers or names.

    Raises:
        ValueError: There are none, or not one row per row of features, or other values, or no row has a label; names
            the method.

    Example:
        >>> multi_hot(np.array(["cat", "dog", "cat"]), 3, "SDH")
        array([[1., 0.],
               [0., 1.],
               [1., 0.]])
    """
    form = f"({num_rows}, C) multi-hot labels or ({num_rows},) classes"
    if labels is None:
        msg = f"{method} learns from labels: fit(features, labels) needs {form}"
        raise ValueError(msg)
    given = np.asarray(labels)
    if given.ndim not in (1, 2) or len(given) != num_rows:
        msg = f"{method} needs {form}, one row per row of features, got {given.shape}"
        raise ValueError(msg)
    if given.ndim == 1:
        classes, numbers = np.unique(given, return_inverse=True)
        return np.eye(len(classes))[numbers]
    if not np.isin(given, (0, 1)).all():
        msg = f"{method} needs {form}; multi-hot labels are 0 and 1, got {given[~np.isin(given, (0, 1))][0]}"
        raise ValueError(msg)
    if not given.any():
        msg = f"{method} learns from labels, and no row has any"
        raise ValueError(msg)
    return given.astype(np.float64)
