"""A head that passes features over a graph of anchors, some images of the training set."""

import torch
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import share
from softhash.types import TrainingSet


class AnchorGraph(nn.Module):
    r"""Three graph convolutions: from the images of a batch to anchors, among anchors, and back to the images.

    With W the layers and BN batch normalisation,

    .. math::
        h_1 = \mathrm{ReLU}(\mathrm{BN}(A_{in} x W_1)), \quad h_2 = \mathrm{ReLU}(\mathrm{BN}(A_{anc} h_1 W_2)), \quad
        u = \tanh(\mathrm{BN}(A_{out} h_2 W_3)).

    Images that share a label are neighbours, with affinity 1. An image without labels has its nearest anchors as
    neighbours, with affinity :math:`\exp(-d^2 / \sigma^2)` for features at distance d, where :math:`\sigma^2` is the
    mean of :math:`d^2` over its neighbours. Rows of :math:`A_{out}` and :math:`A_{anc}` are divided by their sums, and
    so are those of :math:`A_{in}`, for images with and without labels apart.

    Source: Zhou et al., IEEE Transactions on Cybernetics 50(4), 2020; the authors' code. Differs: when codes are
    computed, the first convolution goes from anchors to anchors, so that the code of an image does not depend on the
    others in its batch, as it does in the authors' code; and nearest anchors count by their distance, there all alike.

    Args:
        in_features: D, given by the backbone.
        bits: K.
        num_anchors: Images that are nodes of the graph, drawn from those with labels; all where there are fewer.
        hidden: Size of the two inner layers.
        train_neighbors: Anchors next to an image without labels while training.
        neighbors: The same when codes are computed.
        seed: Of the choice of anchors.

    Attributes:
        anchors: ``(num_anchors, D)`` features, renewed before each epoch; at random until there is a training set.
        adjacency: ``(num_anchors, num_anchors)``, the graph's :math:`A_{anc}`.
        used: ``(num_anchors,)`` bool, False for places that the training set was too small to fill.

    Raises:
        ValueError: A number is below 1.
    """

    anchors: Tensor
    adjacency: Tensor
    used: Tensor
    rows: Tensor
    labels: Tensor

    def __init__(
        self,
        in_features: int,
        bits: int,
        num_anchors: int = 800,
        hidden: int = 512,
        train_neighbors: int = 3,
        neighbors: int = 20,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(
            1, bits=bits, num_anchors=num_anchors, hidden=hidden, train_neighbors=train_neighbors, neighbors=neighbors
        )
        self.train_neighbors, self.neighbors, self.seed = train_neighbors, neighbors, seed
        self.inward, self.inward_norm = nn.Linear(in_features, hidden, bias=False), nn.BatchNorm1d(hidden)
        self.among, self.among_norm = nn.Linear(hidden, hidden, bias=False), nn.BatchNorm1d(hidden)
        self.outward, self.outward_norm = nn.Linear(hidden, bits, bias=False), nn.BatchNorm1d(bits)
        self.register_buffer("anchors", torch.randn(num_anchors, in_features))
        self.register_buffer("adjacency", torch.eye(num_anchors))
        self.register_buffer("used", torch.ones(num_anchors, dtype=torch.bool))

    def setup(self, train: TrainingSet) -> None:
        """Choose the anchors, and build their graph."""
        labelled = train.labels.any(1).nonzero().flatten()
        candidates = labelled if len(labelled) else torch.arange(len(train.labels))
        order = torch.randperm(len(candidates), generator=torch.Generator().manual_seed(self.seed))
        rows = candidates[order[: len(self.anchors)].sort().values.to(candidates.device)]
        labels = train.labels.new_zeros(len(self.anchors), train.labels.shape[1], dtype=torch.float32)
        labels[: len(rows)] = train.labels[rows].float()
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("labels", labels, persistent=False)
        self.adjacency.copy_(normalized(share(labels, labels)))
        self.used[len(rows) :] = False

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Compute the features of the anchors."""
        self.anchors[: len(self.rows)] = train.encode(self.rows)[0]

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """``(B, D)`` features, and while training their ``(B, C)`` labels, to ``(B, K)`` in (-1, 1)."""
        neighbors = self.nearest(features)
        inputs, inward = self.anchors, self.adjacency
        if self.training:
            labelled = torch.zeros(len(features), 1, device=features.device)
            if labels is not None:
                labelled = labels.any(1, keepdim=True).to(features.dtype)
                neighbors = torch.where(labelled > 0, share(labels, self.labels.to(labels.dtype)), neighbors)
            inputs = features
            inward = normalized((neighbors * labelled).T) + normalized((neighbors * (1 - labelled)).T)
        hidden = torch.relu(self.inward_norm(inward @ self.inward(inputs)))
        hidden = torch.relu(self.among_norm(self.adjacency @ self.among(hidden)))
        return torch.tanh(self.outward_norm(normalized(neighbors) @ self.outward(hidden)))

    def nearest(self, features: Tensor) -> Tensor:
        """``(B, num_anchors)`` affinity of ``(B, D)`` features to their nearest anchors, in (0, 1]; 0 to the others."""
        count = min(self.train_neighbors if self.training else self.neighbors, len(self.used))
        anchors, mode = self.anchors.to(features.dtype), "use_mm_for_euclid_dist"  # for batches of any size
        distances = torch.cdist(features.detach(), anchors, compute_mode=mode).masked_fill(~self.used, torch.inf)
        squares, places = (distances**2).topk(count, largest=False)
        there = squares.isfinite()  # an exported graph cannot ask how many there are
        mean = squares.where(there, 0).sum(1, keepdim=True) / there.sum(1, keepdim=True)
        affinity = torch.exp(-squares / mean.clamp(min=1e-12))
        return torch.zeros_like(distances).scatter_(1, places, affinity)


def normalized(affinity: Tensor) -> Tensor:
    """Rows of an ``(A, B)`` matrix divided by their sums; empty rows stay as they are."""
    sums = affinity.sum(1, keepdim=True)
    return affinity / torch.where(sums > 0, sums, 1)
