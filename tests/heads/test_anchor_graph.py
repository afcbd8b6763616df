from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from softhash.heads.anchor_graph import AnchorGraph, normalized

LABELS = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 0]])
FEATURES = torch.tensor([[0.9, -0.4], [0.6, -0.8], [-0.5, 0.7], [0.4, -0.2]])


class Train:
    """A training set whose features are given."""

    labels, bits = LABELS, 4

    def encode(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        return FEATURES[rows], torch.zeros(len(rows), self.bits)


def begun(num_anchors: int = 4, **options: int) -> AnchorGraph:
    torch.manual_seed(0)
    head = AnchorGraph(2, 4, num_anchors, hidden=8, **options)
    head.setup(Train())  # type: ignore[arg-type]
    head.on_epoch_start(0, Train())  # type: ignore[arg-type]
    return head


def test_affinities_are_divided_by_the_sums_of_their_rows_and_empty_rows_stay() -> None:
    shared = (LABELS @ LABELS.T > 0).float()
    third = pytest.approx(1 / 3)

    assert normalized(shared).tolist() == [[0.25] * 4, [third, third, 0, third], [third, 0, third, third], [0.25] * 4]
    assert normalized(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


def test_anchors_are_images_with_labels() -> None:
    assert begun(4).rows.tolist() == [0, 1, 2, 3]
    assert begun(8).rows.tolist() == [0, 1, 2, 3]
    assert begun(8).nearest(FEATURES)[:, 4:].sum() == 0

    head = AnchorGraph(2, 4, num_anchors=3)
    head.setup(SimpleNamespace(labels=torch.tensor([[1], [0], [1], [1]])))  # type: ignore[arg-type]
    assert head.rows.tolist() == [0, 2, 3]


def test_a_code_does_not_depend_on_the_other_images_of_a_batch() -> None:
    head = begun().eval()

    torch.testing.assert_close(head(FEATURES)[1:2], head(FEATURES[1:2]))


def test_an_image_without_labels_has_its_nearest_anchors_as_neighbours() -> None:
    head = begun(train_neighbors=2)
    distances = torch.cdist(FEATURES[:1], head.anchors)[0]

    affinity = head.nearest(FEATURES[:1])[0]

    first, second = distances.argsort()[:2].tolist()
    width = (distances[first] ** 2 + distances[second] ** 2) / 2
    expected = torch.zeros(4)
    expected[[first, second]] = torch.exp(-(distances[[first, second]] ** 2) / width)
    torch.testing.assert_close(affinity, expected)


def test_training_by_hand() -> None:
    """Identity layers and no normalisation: three products with matrices that are worked out here."""
    head = AnchorGraph(3, 3, num_anchors=4, hidden=3, train_neighbors=1)
    head.setup(Train())  # type: ignore[arg-type]
    for layer in (head.inward, head.among, head.outward):
        layer.weight.data = torch.eye(3)
    for norm in (head.inward_norm, head.among_norm, head.outward_norm):
        norm.forward = lambda values: values  # type: ignore[method-assign]
    head.anchors.copy_(torch.eye(4, 3))
    features = torch.tensor([[0.5, 0.1, 0.0], [0.0, 0.9, 0.2]])
    labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])  # the second has none: its nearest anchor is the second

    relaxed = head(features, labels)

    with_labels = (LABELS[head.rows][:, 0] > 0).float()  # anchors that share the label of the first image
    inward = torch.stack([with_labels, torch.tensor([0.0, 1.0, 0.0, 0.0])], 1)
    graph = (LABELS[head.rows] @ LABELS[head.rows].T > 0).float()
    hidden = graph / graph.sum(1, keepdim=True) @ (inward @ features)
    expected = torch.stack([with_labels @ hidden / 3, hidden[1]]).tanh()
    torch.testing.assert_close(relaxed, expected)


def test_sizes_are_at_least_one() -> None:
    with pytest.raises(ValueError, match="num_anchors must be at least 1, got 0"):
        AnchorGraph(2, 4, num_anchors=0)
