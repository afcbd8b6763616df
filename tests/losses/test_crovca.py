from types import SimpleNamespace

import pytest
import torch

from softhash.losses.crovca import CroVCALoss, coding_rate

OTHER = [[0.8, -0.5, 0.1, 0.9], [0.4, -0.6, 0.2, 0.3], [-0.7, 0.5, -0.6, 0.1], [0.5, 0.3, 0.7, 0.4]]


def test_value_and_gradient(fixture_f: SimpleNamespace) -> None:
    views = torch.stack([fixture_f.relaxed, torch.tensor(OTHER, dtype=torch.float64)], 1).flatten(0, 1)

    terms = CroVCALoss()(views, torch.zeros(8, 3), fixture_f.rows.repeat_interleave(2))
    (gradient,) = torch.autograd.grad(sum(terms.values()), fixture_f.relaxed)

    assert terms["alignment"].item() == pytest.approx(0.503518, abs=1e-6)
    assert sum(terms.values()).item() == pytest.approx(0.264922, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.028557, -0.009186, -0.006221, 0.000076], abs=1e-6)


def test_the_coding_rate_of_each_view(fixture_f: SimpleNamespace) -> None:
    assert coding_rate(fixture_f.relaxed, 0.05).item() == pytest.approx(2.416299, abs=1e-6)
    assert coding_rate(torch.tensor(OTHER, dtype=torch.float64), 0.05).item() == pytest.approx(2.355622, abs=1e-6)


def test_distortion_is_above_0() -> None:
    with pytest.raises(ValueError, match="distortion must be above 0, got 0"):
        CroVCALoss(distortion=0)
