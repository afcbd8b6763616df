from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from softhash.functional.similarity import cosine
from softhash.losses.dcgh import DCGHLoss, shortfall

PROXIES = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7]]
TEXT = [[0.8, -0.5, 0.1, 0.9], [0.4, -0.6, 0.2, 0.3], [-0.7, 0.5, -0.6, 0.1], [0.5, 0.3, 0.7, 0.4]]


def ready(train: SimpleNamespace) -> DCGHLoss:
    loss = DCGHLoss()
    loss.setup(train)
    loss.proxies.data = torch.tensor(PROXIES, dtype=torch.float64)
    return loss


def test_value_and_gradient_of_images_and_texts_together(fixture_f: SimpleNamespace) -> None:
    """The authors add both modalities; what this class computes is the part of one."""
    image, text = fixture_f.relaxed, torch.tensor(TEXT, dtype=torch.float64)
    loss, c = ready(fixture_f.train), cosine(fixture_f.labels, fixture_f.labels)
    between = 0.05 * shortfall(F.normalize(image) @ F.normalize(text).T, c)

    parts = [sum(loss(one, fixture_f.labels, fixture_f.rows).values()) for one in (image, text)]
    (gradient,) = torch.autograd.grad(sum(parts) + between, image)

    assert (sum(parts) + between).item() == pytest.approx(2.603809, abs=2e-6)
    assert gradient[0].tolist() == pytest.approx([0.010283, -0.159231, 0.128001, -0.140782], abs=2e-6)


def test_value_and_gradient_of_the_bound_from_one_side(fixture_f: SimpleNamespace) -> None:
    image, text = (F.normalize(one) for one in (fixture_f.relaxed, torch.tensor(TEXT, dtype=torch.float64)))
    c = cosine(fixture_f.labels, fixture_f.labels)

    total = sum(shortfall(one @ other.T, c) for one, other in ((image, image), (text, text), (image, text)))
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(1.183338, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.042784, -0.094790, -0.000804, -0.108944], abs=1e-6)


def test_unrelated_images_with_several_labels_are_not_to_be_near() -> None:
    labels = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]])
    loss = DCGHLoss()
    loss.setup(SimpleNamespace(labels=labels, bits=2, similarity=None))

    terms = loss(torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), labels, torch.arange(3))

    assert terms["dissimilar"].item() == pytest.approx(0.8 * 0.5**0.5)  # of the first and the second, both ways


def test_a_single_class_has_no_variance() -> None:
    labels = torch.ones(2, 1)
    loss = DCGHLoss()
    loss.setup(SimpleNamespace(labels=labels, bits=2, similarity=None))

    assert loss(torch.eye(2), labels, torch.arange(2))["variance"] == 0
