from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

U = [[0.9, -0.4, 0.2, 0.7], [0.6, -0.8, -0.1, 0.5], [-0.5, 0.7, -0.9, 0.3], [0.4, -0.2, 0.8, 0.6]]
Y = [[1, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 0]]


@pytest.fixture
def fixture_f() -> SimpleNamespace:
    """Four images with three classes and codes of four bits, on which golden values were worked out."""
    return SimpleNamespace(
        relaxed=torch.tensor(U, dtype=torch.float64, requires_grad=True),
        labels=torch.tensor(Y, dtype=torch.float64),
        rows=torch.arange(4),
        train=SimpleNamespace(labels=torch.tensor(Y, dtype=torch.uint8), bits=4, similarity=None),
    )


Golden = Callable[..., None]


@pytest.fixture
def golden(fixture_f: SimpleNamespace) -> Golden:
    """Compare a loss on the four images with a value, and with the gradient of the first image.

    The expected numbers were worked out from the formulas in plain array code, gradients by central differences; where
    authors or re-implementations have released PyTorch code, its loss was run on the four images and agrees.
    """

    def check(loss: nn.Module, value: float, gradient: list[float], first: int = 4) -> None:
        """``first``: how many images are in the batch; a memory bank holds all four."""
        for dtype, tolerance in ((torch.float64, 2e-6), (torch.float32, 1e-4)):
            if hasattr(loss, "setup"):
                loss.setup(fixture_f.train)
            loss.to(dtype)
            if hasattr(loss, "bank"):
                loss.bank.relaxed[:] = fixture_f.relaxed.detach().to(dtype)
            relaxed = fixture_f.relaxed.detach().to(dtype)[:first].requires_grad_()

            total = sum(loss(relaxed, fixture_f.labels.to(dtype)[:first], fixture_f.rows[:first]).values())
            (actual,) = torch.autograd.grad(total, relaxed)

            torch.testing.assert_close(total, torch.tensor(value, dtype=dtype), rtol=tolerance, atol=tolerance)
            wanted = torch.tensor(gradient, dtype=dtype)
            torch.testing.assert_close(actual[0], wanted, rtol=tolerance, atol=tolerance)

    return check
