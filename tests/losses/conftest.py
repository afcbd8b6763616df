from types import SimpleNamespace

import pytest
import torch

U = [[0.9, -0.4, 0.2, 0.7], [0.6, -0.8, -0.1, 0.5], [-0.5, 0.7, -0.9, 0.3], [0.4, -0.2, 0.8, 0.6]]
Y = [[1, 1, 0], [1, 0, 0], [0, 1, 1], [1, 1, 0]]


@pytest.fixture
def fixture_f() -> SimpleNamespace:
    """Four images with three classes and codes of four bits, on which golden values were worked out."""
    return SimpleNamespace(
        relaxed=torch.tensor(U, dtype=torch.float64, requires_grad=True),
        labels=torch.tensor(Y, dtype=torch.float64),
        rows=torch.arange(4),
        train=SimpleNamespace(labels=torch.tensor(Y, dtype=torch.uint8), bits=4),
    )
