from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from softhash.functional.similarity import jaccard
from softhash.losses.scbch import SCBCHLoss, soft_contrast

TEXT = [[0.8, -0.5, 0.1, 0.9], [0.4, -0.6, 0.2, 0.3], [-0.7, 0.5, -0.6, 0.1], [0.5, 0.3, 0.7, 0.4]]


@pytest.mark.parametrize(
    ("margin", "shift", "value", "gradient"),
    [
        (0.15, 0.8, 2.089990, [0.047461, -0.082440, 0.074631, -0.129453]),
        (0.2, 1.0, 2.380015, [0.056864, -0.097667, 0.089527, -0.154499]),
    ],
)
def test_value_and_gradient_between_images_and_texts(
    fixture_f: SimpleNamespace, margin: float, shift: float, value: float, gradient: list[float]
) -> None:
    cosines = F.normalize(fixture_f.relaxed) @ F.normalize(torch.tensor(TEXT, dtype=torch.float64)).T

    total = soft_contrast(cosines, jaccard(fixture_f.labels, fixture_f.labels), margin, shift)
    (actual,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(value, abs=1e-6)
    assert actual[0].tolist() == pytest.approx(gradient, abs=1e-6)


def test_value_and_gradient_for_images(golden: Callable[..., None], fixture_f: SimpleNamespace) -> None:
    labels, start = fixture_f.labels.numpy(), fixture_f.relaxed.detach().numpy()

    def loss(relaxed: NDArray[np.float64]) -> float:
        unit = relaxed / np.linalg.norm(relaxed, axis=1, keepdims=True)
        total = -1.0  # every image is entirely like itself
        for i in range(4):
            for j in range(4):
                overlap = np.minimum(labels[i], labels[j]).sum() / np.maximum(labels[i], labels[j]).sum()
                cosine = unit[i] @ unit[j]
                cost = cosine if cosine >= 1 - 0.15 else cosine - 0.8
                total += 2 * np.exp(cost * (1 - overlap)) / 16
                total += np.exp(0.8 - cosine) / 16 if i != j and overlap else 0
        return float(0.7 * total + 2 * 0.3 * np.abs(unit - np.sign(unit)).mean())

    first = []
    for k in range(4):
        step = np.zeros_like(start)
        step[0, k] = 1e-6
        first.append((loss(start + step) - loss(start - step)) / 2e-6)
    golden(SCBCHLoss(), loss(start), first)


def test_the_temperature_is_above_0() -> None:
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        SCBCHLoss(temperature=0)
