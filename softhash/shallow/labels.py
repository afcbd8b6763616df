"""Rows that a method can learn from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def with_labels(
    features: NDArray[Any], labels: NDArray[np.float64], method: str
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Rows that have labels.

    Raises:
        ValueError: No row has; names the method.
    """
    known = labels.any(1)
    if not known.any():
        msg = f"{method} learns from labels, and no row has any"
        raise ValueError(msg)
    return (features, labels) if known.all() else (features[known], labels[known])
