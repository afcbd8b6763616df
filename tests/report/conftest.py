from collections.abc import Callable

import numpy as np
import pytest
import torch

from softhash.data.base import Split, TensorSplit


@pytest.fixture
def split() -> Callable[[int], Split]:
    """Make a split of images whose every pixel is their row."""

    def make(count: int) -> Split:
        pixels = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 8, 8)
        names = np.array([f"i{row}" for row in range(count)])
        return TensorSplit(
            names, torch.ones(count, 1, dtype=torch.uint8), np.arange(count), pixels, torch.nn.Identity()
        )

    return make
