from collections.abc import Callable

import pytest

from softhash.losses.qsmih import QSMIHLoss


@pytest.mark.parametrize(
    ("variant", "value", "gradient"),
    [
        ("official", 12.309223, [-0.290657, -0.760930, 0.846459, -0.334389]),
        ("mean", 0.769326, [-0.018166, -0.047558, 0.052904, -0.020899]),
    ],
)
def test_value_and_gradient(golden: Callable[..., None], variant: str, value: float, gradient: list[float]) -> None:
    golden(QSMIHLoss(variant), value, gradient)  # type: ignore[arg-type]
