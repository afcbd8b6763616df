"""Hamming distance of packed codes."""

import numpy as np
import torch
from torch import Tensor


def hamming_distance(query: Tensor, database: Tensor) -> Tensor:
    """Count differing bits: ``(Q, W)`` and ``(N, W)`` packed uint8 to ``(Q, N)`` int64, in bits.

    Example:
        >>> codes = torch.tensor([[0b0011], [0b0110]], dtype=torch.uint8)
        >>> hamming_distance(codes, codes)
        tensor([[0, 2],
                [2, 0]])
    """
    differing = query.cpu().numpy()[:, None] ^ database.cpu().numpy()[None]
    return torch.from_numpy(np.bitwise_count(differing).sum(2, dtype=np.int64)).to(query.device)
