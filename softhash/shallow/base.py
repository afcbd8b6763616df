"""What every classical estimator does: check what it is given, and compute block by block in float64."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from softhash.functional.checks import check_at_least
from softhash.shallow.blocks import blocks
from softhash.shallow.labels import multi_hot

_WIDTH = 1024  # columns of what methods compute of a row, as kernels of anchors


class HashEstimator(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Base class of estimators that turn features into bits.

    What the docstring of a method states as ``Memory`` is in numbers of 8 bytes. Fitting takes at most 4 times as much
    at once, and 40 MB of features and kernel values in float64, block by block, whatever the number of rows.

    A subclass has :meth:`learn` and :meth:`relax`, the arguments ``bits`` and, where it draws anything,
    ``random_state``. What it learns are numpy arrays and numbers, in attributes whose names end in ``_``, so that
    they can be stored as tensors.

    Attributes:
        learns_from: ``classes`` or ``nothing`` but the features.
        n_features_in_: D.
    """

    learns_from = "nothing"
    bits: int
    n_features_in_: int

    def fit(self, features: NDArray[np.floating], y: NDArray[np.integer] | None = None) -> "HashEstimator":
        """Learn from ``(N, D)`` features, float32 or float64, and labels y: ``(N, C)`` multi-hot, or ``(N,)`` classes.

        Features are read as they are, also from a file that is mapped into memory; no float64 copy of all is made.

        Raises:
            ValueError: Features are not finite, labels are needed and missing or do not fit, or there are more bits
                than the method can give.
        """
        features = self.checked(features, first=True)
        known = self.checked_labels(y, len(features))
        check_at_least(1, bits=self.bits)
        rng = np.random.default_rng(getattr(self, "random_state", None))
        self.learn(features, known, rng)
        self.settle()
        return self

    def transform(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(N, D)`` features to ``(N, K)`` float32; a bit is 1 where it is above 0.

        Raises:
            ValueError: Features are not finite, or not as many as those that it was fitted on.
            NotFittedError: It was not fitted.
        """
        check_is_fitted(self)
        features = self.checked(features)
        return np.concatenate([self.relax(block).astype(np.float32) for block in blocks(features, _WIDTH)])

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's own tests must know."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.learns_from == "classes"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def settle(self) -> None:
        """Lay out what is learnt as it comes back from storage, so that codes are the same to the last digit."""
        for name, value in vars(self).items():
            if name.endswith("_") and isinstance(value, (float, np.ndarray)):
                setattr(self, name, np.asarray(value, order="C"))

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Set what is learnt, given checked features and ``(N, C)`` labels; C is 0 where none are used."""
        raise NotImplementedError

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n, D)`` to ``(n, K)``."""
        raise NotImplementedError

    def checked(self, features: NDArray[Any], *, first: bool = False) -> NDArray[Any]:
        """Features as a float32 or float64 matrix, copied only where they are of another type.

        Args:
            features: ``(N, D)``.
            first: Remember D; else refuse another than is remembered.
        """
        checked: NDArray[Any] = validate_data(self, features, dtype=[np.float64, np.float32], reset=first)
        return checked

    def checked_labels(self, labels: NDArray[Any] | None, num_rows: int) -> NDArray[np.float64]:
        """``(N, C)`` labels as float64; ``(N, 0)`` where the method does not use them."""
        if self.learns_from == "nothing":
            return np.zeros((num_rows, 0))
        return multi_hot(labels, num_rows, type(self).__name__)

    def check_components(self, limit: int, what: str) -> None:
        """Refuse more bits than there are of what each bit needs one.

        Raises:
            ValueError: Names the method, the bits and the limit.
        """
        if self.bits > limit:
            msg = (
                f"{type(self).__name__} needs one {what} per bit: bits={self.bits} is more than the {limit} there are."
                "\n  Take fewer bits, or more images or features."
            )
            raise ValueError(msg)
