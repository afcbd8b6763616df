from types import SimpleNamespace

import pytest
import torch

from softhash.losses.dncph import DNCPHLoss

PROXIES = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7]]


def ready(labels: torch.Tensor) -> DNCPHLoss:
    loss = DNCPHLoss()
    loss.setup(SimpleNamespace(labels=labels, bits=4))
    loss.proxies.data = torch.tensor(PROXIES, dtype=torch.float64)
    return loss


def test_value_and_gradient_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    total = ready(fixture_f.labels)(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)["proxy"]
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(0.061080, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.002091, 0.003356, 0.011562, -0.004074], abs=1e-6)


def test_images_with_all_labels_or_none_cost_nothing(fixture_f: SimpleNamespace) -> None:
    labels = torch.tensor([[1.0, 1, 1]] * 2 + [[0.0, 0, 0]] * 2, dtype=torch.float64)

    assert ready(labels)(fixture_f.relaxed, labels, fixture_f.rows)["proxy"] == 0


def test_proxies_learn_at_a_rate_of_their_own() -> None:
    (group,) = ready(torch.eye(3)).param_groups(0.001)

    assert group["lr"] == pytest.approx(0.01)
