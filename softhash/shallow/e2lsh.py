"""Locality-sensitive hashing by stable distributions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from softhash.functional.checks import check_option
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import mean_of, sample
from softhash.shallow.symbols import byte_tables, check_symbols

_PAIRS = 10_000


class E2LSH(HashEstimator):
    r"""Numbers of the cells that random projections fall into; no labels are used.

    A projection is :math:`t = (a^\top x + s) / r` with normal a (Cauchy for distances in L1) and s uniform in [0, r),
    and a hash is the integer part of t. Two rows at a distance u agree in it with a probability that only u / r
    decides; the more hashes agree, the nearer they are. Its lowest b bits are kept; see :meth:`tables`.

    Source: Datar, Immorlica, Indyk and Mirrokni, SCG 2004. Confidence: high for the hash, medium for the width of 4
    times the distance that matters, from memory.
    Differs: it is their hash, and not their index of many tables. Cells 2^b apart count as one, so that codes have a
    fixed length. The distance that matters is taken to be a share of the mean distance of two training rows.
    Cost: D K / b per row. Memory: D (1000 + K / b).

    Args:
        bits: Code length K, a multiple of ``bits_per_hash``.
        bits_per_hash: b, 1, 2, 4 or 8; with 1 far rows agree half of the time.
        norm: ``l2`` or ``l1``, the distance.
        width: r, in ``radius_fraction`` of mean distances.
        radius_fraction: Distance that matters as a share of the mean one.
        random_state: Seed of the projections.

    Attributes:
        projections_: ``(D, K / b)`` float64, divided by r.
        shifts_: ``(K / b,)`` float64, s / r in [0, 1), less the projected mean of the features.
    """

    def __init__(
        self,
        bits: int,
        bits_per_hash: int = 2,
        norm: str = "l2",
        width: float = 4.0,
        radius_fraction: float = 0.25,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.bits_per_hash, self.norm, self.width = bits, bits_per_hash, norm, width
        self.radius_fraction, self.random_state = radius_fraction, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw projections; the features give the scale alone."""
        check_symbols("E2LSH", self.bits, self.bits_per_hash)
        check_option("norm", self.norm, ("l1", "l2"))
        for name in ("width", "radius_fraction"):
            if getattr(self, name) <= 0:
                msg = f"{name} must be above 0, got {getattr(self, name)}"
                raise ValueError(msg)
        scale = self.radius_fraction * mean_distance(features, self.norm, rng)
        size = (features.shape[1], self.bits // self.bits_per_hash)
        drawn = rng.standard_normal(size) if self.norm == "l2" else rng.standard_cauchy(size)
        self.projections_ = drawn / (self.width * (scale or 1.0))
        self.shifts_ = rng.random(size[1]) - mean_of(features) @ self.projections_

    def places(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n, K / b)`` places t, whose integer parts are the hashes."""
        return features @ self.projections_ + self.shifts_

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each bit of a hash, the lowest first, the distance to where it changes; in cells, above 0 for 1."""
        places = self.places(features)
        relaxed = []
        for bit in range(self.bits_per_hash):
            period = 2.0 ** (bit + 1)
            phase = places % period
            to_change = np.minimum(phase % (period / 2), period / 2 - phase % (period / 2))
            relaxed.append(np.where(phase >= period / 2, 1, -1) * np.maximum(to_change, np.finfo(np.float32).tiny))
        return np.stack(relaxed, axis=2).reshape(len(places), -1)

    def tables(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Scores of queries for each byte of a code: ``(n, D)`` to ``(n, W, 256)``, whose sums count equal hashes."""
        check_is_fitted(self)
        rows = self.checked(features).astype(np.float64)
        num_values = 2**self.bits_per_hash
        hashes = np.floor(self.places(rows)).astype(np.int64) % num_values
        return byte_tables((hashes[:, :, None] == np.arange(num_values)).astype(np.float64))


def mean_distance(features: NDArray[Any], norm: str, rng: np.random.Generator) -> float:
    """Mean distance of 10,000 random pairs of up to 1000 rows, in L1 or L2."""
    rows = features[sample(features, 1000, rng)].astype(np.float64)
    first, second = rng.integers(len(rows), size=(2, _PAIRS))
    total = 0.0
    for start in range(0, _PAIRS, 100):
        span = slice(start, start + 100)
        total += np.linalg.norm(rows[first[span]] - rows[second[span]], ord=int(norm[1]), axis=1).sum()
    return total / _PAIRS
