from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.losses.dhd import DHDLoss

PROXIES = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7]]
OTHER = [[0.8, -0.5, 0.1, 0.9], [0.4, -0.6, 0.2, 0.3], [-0.7, 0.5, -0.6, 0.1], [0.5, 0.3, 0.7, 0.4]]


def test_value_and_gradient_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    loss = DHDLoss()
    loss.setup(fixture_f.train)
    loss.proxies.data = torch.tensor(PROXIES, dtype=torch.float64)
    views = torch.stack([fixture_f.relaxed.detach(), torch.tensor(OTHER, dtype=torch.float64)], 1).flatten(0, 1)
    views.requires_grad_()

    terms = loss(views, fixture_f.labels.repeat_interleave(2, 0), fixture_f.rows.repeat_interleave(2))
    (gradient,) = torch.autograd.grad(sum(terms.values()), views)

    assert terms["proxy"].item() == pytest.approx(2.550851, abs=1e-6)
    assert terms["distillation"].item() == pytest.approx(0.1 * 0.069190, abs=1e-6)
    assert terms["quantization"].item() == pytest.approx(0.1 * 0.570528, abs=1e-6)
    assert sum(terms.values()).item() == pytest.approx(2.614823, abs=1e-6)
    start = views.detach().numpy()
    for place in np.ndindex(start.shape):
        step = np.zeros_like(start)
        step[place] = 1e-6
        slope = (value(start + step, start) - value(start - step, start)) / 2e-6
        assert gradient[place].item() == pytest.approx(slope, abs=1e-8)


def value(views: NDArray[np.float64], start: NDArray[np.float64]) -> float:
    """The loss of the four images, where students follow the teachers of the start."""
    labels = np.array([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 0]])
    total = 0.0
    for image in range(4):
        teacher, student, fixed = views[2 * image], views[2 * image + 1], start[2 * image]
        logits = np.array([cosine(teacher, np.array(proxy)) / 0.2 for proxy in PROXIES])
        own = labels[image] / labels[image].sum()
        total -= own @ (logits - np.log(np.exp(logits).sum())) / 4
        total += 0.1 * (1 - cosine(student, fixed)) / 4
        for entry in teacher:
            for side in (1, -1):
                bump = np.exp(-(((entry - side) / 0.5) ** 2) / 2)
                total -= 0.1 * np.log(bump if entry * side > 0 else 1 - bump) / 16
    return float(total)


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
