import math
from types import SimpleNamespace

import pytest
import torch

from softhash.losses.gcnh import GCNHLoss

RELAXED = torch.tensor([[0.9, -0.4, 0.2, 0.7], [0.6, -0.8, -0.1, 0.5], [-0.5, 0.7, -0.9, 0.3], [0.4, -0.2, 0.8, 0.6]])
LABELS = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 0]])


def ready(**weights: float) -> GCNHLoss:
    loss = GCNHLoss(**weights)
    loss.setup(SimpleNamespace(bits=4, labels=LABELS))  # type: ignore[arg-type]
    return loss


def test_the_weak_terms_have_the_published_values() -> None:
    terms = ready(quantization_weight=1, decorrelation_weight=1)(RELAXED, LABELS, torch.arange(4))

    assert terms["quantization"].item() == pytest.approx(0.275)
    assert terms["independence"].item() == pytest.approx(4.116625, abs=1e-6)
    assert terms["balance"].item() == pytest.approx(0.7)


def test_the_classifier_learns_from_images_with_labels_only() -> None:
    loss, labels = ready(), LABELS.clone()
    labels[2:] = 0
    loss.classifier.weight.data = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 0]])
    loss.classifier.bias.data = torch.zeros(3)
    logits = [[0.9, -0.4, 0.0], [0.6, -0.8, 0.0]]
    signs = [[-1, -1, 1], [-1, 1, 1]]  # of the error: log(1 + exp(sign * logit))
    expected = (
        sum(math.log1p(math.exp(s * x)) for a, b in zip(signs, logits, strict=True) for s, x in zip(a, b, strict=True))
        / 6
    )

    terms = loss(RELAXED, labels, torch.arange(4))

    assert terms["classification"].item() == pytest.approx(expected)


def test_weights_are_not_negative() -> None:
    with pytest.raises(ValueError, match="quantization_weight must be at least 0, got -1"):
        GCNHLoss(quantization_weight=-1)
