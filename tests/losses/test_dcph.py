from types import SimpleNamespace

import pytest
import torch

from softhash.losses.dcph import DCPHLoss

PROXIES = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7]]


def test_value_and_gradient_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    loss = DCPHLoss()
    loss.setup(fixture_f.train)
    loss.proxies.data = torch.tensor(PROXIES, dtype=torch.float64)

    total = loss(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)["tversky"]
    (gradient,) = torch.autograd.grad(total, fixture_f.relaxed)

    assert total.item() == pytest.approx(0.852797, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.000772, 0.001258, 0.002002, 0.001140], abs=1e-6)


def test_codes_at_their_proxies_and_far_from_the_others_cost_nothing() -> None:
    labels = torch.eye(2)
    loss = DCPHLoss()
    loss.setup(SimpleNamespace(labels=labels, bits=2))
    loss.proxies.data = torch.eye(2)

    assert loss(3 * torch.eye(2), labels, torch.arange(2))["tversky"].item() == pytest.approx(0, abs=1e-6)
