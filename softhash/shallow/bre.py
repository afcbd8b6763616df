"""Binary reconstructive embeddings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.functional.similarity import Similarity, check_bounded
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import mean_of, sample, unit_rows
from softhash.shallow.kernels import squared_distances
from softhash.shallow.pairs import similarities


class BRE(HashEstimator):
    r"""Codes whose Hamming distances, as shares of the bits, are those of the features, or those of the labels.

    Of L rows, centred and of unit length, some ordered pairs have target distances :math:`d`, and
    :math:`\frac12 \sum (\hat d - d)^2` is minimised over bits
    :math:`[\sum_j w_j\, x_{h_j}^\top x > 0]` that have 20 random rows :math:`x_{h_j}` each. By turns each bit gets one
    of its weights anew, chosen at random: as it grows, rows change their bit one after the other, and the best place is
    found exactly. The objective never rises.

    Targets: half the squared distance as a share of the largest; with a similarity, 1 - s of the labels. The paper's
    supervised targets are those of ``share``; graded ones are an extension.

    Source: Kulis and Darrell, NIPS 2009. Confidence: high, a toolbox copy of their code.
    Differs: the kernel is the inner product, the default of the paper, so a bit is a hyperplane. It stops when a
    round over the bits lowers the objective by less than a share of it; theirs by less than 1, whatever its size.
    Cost: T K (L log L + L P) to fit with P pairs per row, D K per row. Memory: L^2 + L D + N C.

    Args:
        bits: Code length K.
        num_rows: L, or all rows if there are fewer.
        pair_fraction: P as a share of L.
        rows_per_bit: Rows that the hyperplane of a bit is made of.
        rounds: T, rounds over the bits at most.
        tolerance: Least progress of a round as a share of the objective.
        similarity: Compares label vectors, in [0, 1]; None to learn the distances of the features, without labels.
        random_state: Seed of rows, pairs and weights.

    Attributes:
        mean_: ``(D,)`` float64.
        projection_: ``(D, K)`` float64.
    """

    def __init__(
        self,
        bits: int,
        num_rows: int = 1000,
        pair_fraction: float = 0.05,
        rows_per_bit: int = 20,
        rounds: int = 100,
        tolerance: float = 0.0001,
        similarity: Similarity | None = None,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.num_rows, self.pair_fraction, self.rows_per_bit = bits, num_rows, pair_fraction, rows_per_bit
        self.rounds, self.tolerance, self.similarity, self.random_state = rounds, tolerance, similarity, random_state

    @property
    def learns_from(self) -> str:  # type: ignore[override]
        """``classes`` with a similarity, else ``nothing``."""
        return "nothing" if self.similarity is None else "classes"

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw rows and pairs, and improve one weight after the other."""
        self.mean_ = mean_of(features)
        chosen = sample(features, self.num_rows, rng)
        rows = unit_rows(features[chosen].astype(np.float64) - self.mean_)
        if self.similarity is None:
            distances = squared_distances(rows, rows)
            distances /= distances.max() or 1
        else:
            check_bounded(self.similarity, "BRE")
            distances = 1 - similarities(labels[chosen], self.similarity)
        fit = Reconstruction(rows @ rows.T, distances, self.bits, self.pair_fraction, self.rows_per_bit, rng)
        value = fit.objective
        for _ in range(self.rounds):
            for bit in range(self.bits):
                fit.improve(bit, int(rng.integers(fit.weights.shape[0])))
            before, value = value, fit.objective
            if before - value <= self.tolerance * before:
                break
        self.projection_ = np.stack(
            [rows[fit.members[:, bit]].T @ fit.weights[:, bit] for bit in range(self.bits)], axis=1
        )

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Projections of centred rows of unit length."""
        return unit_rows(features - self.mean_) @ self.projection_


class Reconstruction:
    """Bits of rows, and how far their distances are from given ones.

    Args:
        kernel: ``(L, L)``.
        distances: ``(L, L)`` in [0, 1].
        bits: K.
        pair_fraction: Share of the other rows that each row is paired with.
        rows_per_bit: H.
        rng: Draws pairs, members and weights.

    Attributes:
        members: ``(H, K)`` rows of each bit.
        weights: ``(H, K)``.
        sums: ``(L, K)`` values behind the bits.
    """

    def __init__(
        self,
        kernel: NDArray[np.float64],
        distances: NDArray[np.float64],
        bits: int,
        pair_fraction: float,
        rows_per_bit: int,
        rng: np.random.Generator,
    ) -> None:
        count = len(kernel)
        partners = max(1, round(pair_fraction * count)) if count > 1 else 0
        self.first = np.repeat(np.arange(count), partners)
        shifts = (
            [rng.choice(count - 1, partners, replace=False) for _ in range(count)]
            if partners
            else [np.zeros(0, np.int64)]
        )
        self.second = (self.first + 1 + np.concatenate(shifts).astype(np.int64)) % count
        self.kernel, self.targets, self.bits = kernel, distances[self.first, self.second], bits
        self.members = np.stack(
            [rng.choice(count, min(rows_per_bit, count), replace=False) for _ in range(bits)], axis=1
        )
        self.weights = 0.001 * rng.standard_normal(self.members.shape)
        self.sums = np.stack([kernel[:, self.members[:, bit]] @ self.weights[:, bit] for bit in range(bits)], axis=1)

    @property
    def objective(self) -> float:
        """Half the sum of squared residuals."""
        return float((self._residuals(self.sums > 0) ** 2).sum() / 2)

    def _residuals(self, codes: NDArray[np.bool_]) -> NDArray[np.float64]:
        differing = (codes[self.first] != codes[self.second]).sum(1)
        residuals: NDArray[np.float64] = differing / self.bits - self.targets
        return residuals

    def improve(self, bit: int, member: int) -> None:
        """Set one weight to the best value, or leave it if none is better."""
        slopes = self.kernel[:, self.members[member, bit]]
        movable = np.abs(slopes) > 1e-12
        weight = self.weights[member, bit]
        rest = self.sums[:, bit] - weight * slopes
        thresholds = np.where(movable, -rest / np.where(movable, slopes, 1), np.inf)
        places = np.sort(thresholds[movable])
        if not len(places):
            return
        candidates = np.concatenate([[places[0] - 1e-6], (places[1:] + places[:-1]) / 2, [places[-1] + 1e-6]])
        values = self._values(bit, np.where(movable, slopes < 0, rest > 0), np.searchsorted(places, thresholds))
        best = int(values.argmin())
        now = values[np.searchsorted(places, weight)]
        if values[best] < now - 1e-9:
            self.weights[member, bit] = candidates[best]
            self.sums[:, bit] = rest + candidates[best] * slopes

    def _values(self, bit: int, start: NDArray[np.bool_], ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Objective before the first change and after each; a pair differs from the start between its two changes.

        Args:
            bit: Which changes.
            start: ``(L,)`` the bit where the weight is minus infinity.
            ranks: ``(L,)`` after how many changes each row changes; L for never.
        """
        codes = self.sums > 0
        codes[:, bit] = start
        residuals = self._residuals(codes)
        moved = np.where(start[self.first] != start[self.second], -1, 1) / self.bits
        change = residuals * moved + moved**2 / 2
        early, late = np.sort([ranks[self.first], ranks[self.second]], axis=0)
        count = len(ranks)
        steps = np.bincount(early + 1, change, count + 2) - np.bincount(late + 1, change, count + 2)
        num_movable = int((ranks < count).sum()) if count else 0
        return float((residuals**2).sum() / 2) + np.cumsum(steps)[: num_movable + 1]
