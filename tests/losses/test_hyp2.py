from types import SimpleNamespace

import pytest
import torch

from softhash.losses.hyp2 import HyP2Loss, best_threshold

PROXIES = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7], [-0.4, 0.3, 0.2, 1.0]]
FOUR_CLASSES = [[1.0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0]]


def ready(labels: torch.Tensor, threshold: float | None = 0.0, bits: int = 4) -> HyP2Loss:
    loss = HyP2Loss(threshold=threshold)
    loss.setup(SimpleNamespace(labels=labels, bits=bits))
    if bits == 4:
        loss.proxies.data = torch.tensor(PROXIES[: labels.shape[1]], dtype=torch.float64)
    return loss


@pytest.mark.parametrize(
    ("labels", "threshold", "terms", "gradient"),
    [
        (None, 0.0, [0.747827, 0.059711, 0.0], [-0.001476, -0.026074, 0.033903, -0.022688]),
        (FOUR_CLASSES, 0.0, [0.990331, 0.349473, 0.432799], [-0.092716, -0.165170, -0.049554, 0.038981]),
    ],
)
def test_value_and_gradient_of_the_authors_code(
    fixture_f: SimpleNamespace,
    labels: list[list[float]] | None,
    threshold: float,
    terms: list[float],
    gradient: list[float],
) -> None:
    multi_hot = fixture_f.labels if labels is None else torch.tensor(labels, dtype=torch.float64)

    actual = ready(multi_hot, threshold)(fixture_f.relaxed, multi_hot, fixture_f.rows)
    (slope,) = torch.autograd.grad(sum(actual.values()), fixture_f.relaxed)

    assert [actual[name].item() for name in ("positive", "negative", "pair")] == pytest.approx(terms, abs=1e-6)
    assert slope[0].tolist() == pytest.approx(gradient, abs=1e-6)


def test_value_and_gradient_with_a_threshold_below_a_right_angle(fixture_f: SimpleNamespace) -> None:
    labels = torch.tensor(FOUR_CLASSES, dtype=torch.float64)

    total = sum(ready(labels, -0.3)(fixture_f.relaxed, labels, fixture_f.rows).values())
    (slope,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(2.135305, abs=1e-6)
    assert slope[0].tolist() == pytest.approx([-0.076553, -0.186018, 0.031142, -0.016769], abs=1e-6)


def test_thresholds_are_those_of_the_best_linear_codes() -> None:
    assert best_threshold(num_classes=38, bits=48) == 0  # 64 words of 48 bits, 24 bits apart
    assert best_threshold(num_classes=2, bits=16) == -1  # two opposite codes
    assert best_threshold(num_classes=1, bits=16) == -1


def test_a_code_length_that_the_table_lacks_is_refused_unless_a_threshold_is_given() -> None:
    with pytest.raises(ValueError, match=r"not of 20 bits for 3 classes; set loss.threshold"):
        ready(torch.eye(3), threshold=None, bits=20)

    assert ready(torch.eye(3), threshold=0.25, bits=20).zeta == 0.25


def test_proxies_learn_at_a_rate_of_their_own() -> None:
    (group,) = ready(torch.eye(3)).param_groups(0.01)

    assert group["lr"] == 0.02
    assert group["params"][0].shape == (3, 4)
