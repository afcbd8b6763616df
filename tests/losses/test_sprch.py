from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.losses.sprch import SPRCHLoss

PROXIES = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7]]


def ready(train: SimpleNamespace) -> SPRCHLoss:
    loss = SPRCHLoss()
    loss.setup(train)
    loss.proxies.data = torch.tensor(PROXIES, dtype=torch.float64)
    return loss


def test_value_and_gradient_at_the_start(fixture_f: SimpleNamespace) -> None:
    total = ready(fixture_f.train)(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)["contrast"]
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(0.002701, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.000074, 0.000308, 0.000174, 0.000030], abs=1e-6)


def test_value_and_gradient_when_it_is_hardest(fixture_f: SimpleNamespace) -> None:
    start, labels = fixture_f.relaxed.detach().numpy(), fixture_f.labels.numpy()
    similar = (labels @ labels.T > 0) * 1.0
    every = np.concatenate([similar, labels], 1)  # what is positive: images, then classes

    def cosines(relaxed: NDArray[np.float64]) -> NDArray[np.float64]:
        first, others = relaxed, np.concatenate([relaxed, np.array(PROXIES)])
        norms = np.linalg.norm(first, axis=1)[:, None] * np.linalg.norm(others, axis=1)
        return np.asarray(first @ others.T / norms)

    fixed = np.where(every > 0, np.exp(-1 - cosines(start)) ** 0.25, np.exp(-1 + cosines(start)))

    def value(relaxed: NDArray[np.float64]) -> float:
        terms, total = fixed * np.exp(cosines(relaxed) / 0.3), 0.0
        for row in range(4):
            own, images = labels[row] > 0, similar[row] > 0
            positive = terms[row, :4][images].sum() + images.sum() / own.sum() * terms[row, 4:][own].sum()
            negative = terms[row, :4][~images].sum() + (~images).sum() / (~own).sum() * terms[row, 4:][~own].sum()
            total -= np.log(positive / (positive + negative)) / 4
        return total

    loss = ready(fixture_f.train)
    loss.on_step(100, total=300)
    total = loss(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)["contrast"]
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(0.001089, abs=1e-6)
    assert total.item() == pytest.approx(value(start))
    for place in np.ndindex(start.shape):
        step = np.zeros_like(start)
        step[place] = 1e-5
        slope = (value(start + step) - value(start - step)) / 2e-5
        assert gradient[place].item() == pytest.approx(slope, abs=1e-9)


def test_it_is_hardest_from_a_third_of_the_training_on(fixture_f: SimpleNamespace) -> None:
    loss, deltas = ready(fixture_f.train), []

    for step in (0, 50, 100, 299):
        loss.on_step(step, total=300)
        deltas.append(loss.delta.item())

    assert deltas == [0.0, 0.5, 1.0, 1.0]


def test_images_with_all_labels_have_no_other_classes() -> None:
    loss = SPRCHLoss()
    loss.setup(SimpleNamespace(labels=torch.ones(2, 3), bits=4, similarity=None))

    assert loss(torch.eye(2, 4), torch.ones(2, 3), torch.arange(2))["contrast"] == 0


def test_the_temperature_is_above_0() -> None:
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        SPRCHLoss(temperature=0)
