"""Similarity-adaptive deep hashing: unsupervised, in rounds."""

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.codes import signs
from softhash.losses.base import HashLoss
from softhash.types import TrainingSet

_RHO = 1e-2, 1e-2, 1e-3, 1e-3  # of the box, the sphere, balance and decorrelation
_GAMMA = 1e-3  # step of the multipliers
_TOLERANCE = 1e-4  # relative change at which codes are done
_EVALUATIONS = 20  # of the Lagrangian per step of codes


class SADHLoss(HashLoss):
    r"""Squared distance to binary codes that are computed anew, before each round, from a graph of the features.

    At the start of a round, each training image is linked to its nearest anchors, cluster centres of the features that
    the network gives at that time (:func:`anchor_graph`); codes B are found that are alike for linked images, balanced
    and uncorrelated (:func:`binary_codes`). In the round, ``code`` is half the mean over images of
    :math:`\lVert u - b \rVert^2`, a sum over bits.

    Labels are never read. The head is :class:`softhash.heads.centered.Centered`.

    Source: Shen, Xu, Liu, Yang, Huang and Shen, TPAMI 2018; values of the authors' MATLAB and Caffe code, by reading.

    Differs: codes begin as what the network gives and the multipliers at 0. Whether the network learns or the head
    alone is up to ``backbone.frozen``; in the released code it is the head.

    Args:
        epochs_per_round: Epochs on the same codes.
        num_anchors: How many clusters; as many as there are images where there are fewer.
        num_nearest: Anchors to which an image is linked.
        iterations: Steps of the codes, at most.
        seed: Seed of the clusters.

    Attributes:
        codes: B, ``(N, K)`` float32 in plus and minus one.

    Raises:
        ValueError: A count is below 1.
    """

    learns_from = "nothing"
    codes: Tensor

    def __init__(
        self,
        epochs_per_round: int = 10,
        num_anchors: int = 500,
        num_nearest: int = 2,
        iterations: int = 50,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(
            1,
            epochs_per_round=epochs_per_round,
            num_anchors=num_anchors,
            num_nearest=num_nearest,
            iterations=iterations,
        )
        self.epochs_per_round, self.num_anchors, self.num_nearest = epochs_per_round, num_anchors, num_nearest
        self.iterations, self.seed = iterations, seed

    def setup(self, train: TrainingSet) -> None:
        """Make room for the codes."""
        self.register_buffer("codes", torch.zeros(len(train.labels), train.bits))

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Compute graph and codes at the start of a round."""
        if epoch % self.epochs_per_round == 0:
            features, relaxed = train.encode()
            graph = anchor_graph(features, self.num_anchors, self.num_nearest, self.seed)
            self.codes[:] = binary_codes(graph, relaxed, self.iterations)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``code`` from the output of tanh."""
        return {"code": (relaxed - self.codes[rows].to(relaxed.dtype)).square().sum(1).mean() / 2}


def anchor_graph(features: Tensor, num_anchors: int, num_nearest: int, seed: int) -> Tensor:
    r"""Link images to their nearest anchors.

    Args:
        features: ``(N, D)``.
        num_anchors: Clusters of k-means; at most N.
        num_nearest: Anchors of an image, with weights :math:`e^{-d^2 / \sigma^2}`, where sigma is the mean distance of
            images to the last of them.
        seed: Seed of k-means.

    Returns:
        Z, ``(N, anchors)``, whose rows sum to 1. The similarity of two images is
        :math:`Z \, \mathrm{diag}(Z^\top 1)^{-1} Z^\top`, whose rows sum to 1 too.
    """
    num_anchors = min(num_anchors, len(features))
    clusters = KMeans(num_anchors, n_init=1, max_iter=20, random_state=seed).fit(features.double().cpu().numpy())
    anchors = torch.from_numpy(clusters.cluster_centers_).to(features)
    distances, nearest = torch.cdist(features, anchors).topk(min(num_nearest, num_anchors), largest=False)
    sigma = distances[:, -1].mean().clamp(min=1e-12)
    links = torch.softmax(-((distances / sigma) ** 2), dim=1)
    return features.new_zeros(len(features), num_anchors).scatter_(1, nearest, links)


def smoothness(graph: Tensor, codes: Tensor) -> Tensor:
    r"""0-d :math:`\operatorname{tr} B^\top B - \operatorname{tr} B^\top A B`, with A the similarity of the graph."""
    spread = graph.T @ codes
    return codes.square().sum() - (spread.square() / graph.sum(0).clamp(min=1e-12)[:, None]).sum()


def split(codes: Tensor, box_multipliers: Tensor, sphere_multipliers: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest points to the codes in the box [-1, 1] and on the sphere through its corners; each ``(N, K)``."""
    box = (codes + box_multipliers / _RHO[0]).clamp(-1, 1)
    sphere = codes + sphere_multipliers / _RHO[1]
    return box, sphere * (sphere.numel() ** 0.5 / sphere.norm().clamp(min=1e-12))


def lagrangian(
    graph: Tensor, codes: Tensor, splits: tuple[Tensor, Tensor], multipliers: tuple[Tensor, Tensor]
) -> Tensor:
    """0-d augmented Lagrangian of the codes; see :func:`binary_codes`."""
    value = smoothness(graph, codes)
    for near, multiplier, rho in zip(splits, multipliers, _RHO, strict=False):
        value = value + (multiplier * (codes - near)).sum() + rho / 2 * (codes - near).square().sum()
    balance = codes.sum(0).square().sum()
    identity = torch.eye(codes.shape[1], dtype=codes.dtype, device=codes.device)
    correlation = (codes.T @ codes - len(codes) * identity).square().sum()
    return value + _RHO[2] / 2 * balance + _RHO[3] / 4 * correlation


def binary_codes(graph: Tensor, start: Tensor, iterations: int) -> Tensor:
    r"""Codes that are alike for linked images, balanced and uncorrelated.

    They minimise :func:`smoothness` by the alternating direction method of multipliers with the Lp box: codes are
    binary where they lie in the box [-1, 1] and on the sphere of radius :math:`\sqrt{N K}` at once.

    Args:
        graph: Z, ``(N, anchors)``.
        start: ``(N, K)`` real.
        iterations: At most; they end when codes change by less than 0.0001 of their length.

    Returns:
        ``(N, K)`` in plus and minus one.
    """
    codes = start.clone()
    multipliers = torch.zeros_like(codes), torch.zeros_like(codes)
    for _ in range(iterations):
        before, splits = codes, split(codes, *multipliers)
        codes = _minimize(graph, codes, splits, multipliers)
        box, sphere = (
            multiplier + _GAMMA * rho * (codes - near)
            for multiplier, rho, near in zip(multipliers, _RHO, splits, strict=False)
        )
        multipliers = box, sphere
        if (codes - before).norm() <= _TOLERANCE * before.norm():
            break
    return signs(codes)


def _minimize(
    graph: Tensor, start: Tensor, splits: tuple[Tensor, Tensor], multipliers: tuple[Tensor, Tensor]
) -> Tensor:
    """Some steps of L-BFGS down the Lagrangian."""
    codes = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([codes], max_iter=_EVALUATIONS, max_eval=_EVALUATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        with torch.enable_grad():
            value = lagrangian(graph, codes, splits, multipliers)
            value.backward()
        return value

    optimizer.step(closure)
    return codes.detach()
