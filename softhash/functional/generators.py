"""The generators of random numbers of a process: seeding them, and taking up their state again."""

import random
from typing import Any

import numpy as np
import torch


def seed_generators(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators of the processor; those of GPUs stay as they are.

    Args:
        seed: Below 2**32.
    """
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - what libraries draw from
    torch.default_generator.manual_seed(seed)


def generator_states() -> dict[str, Any]:
    """States of Python's, NumPy's and torch's generators and of that of the current GPU, as tensors and plain values.

    Example:
        >>> states = generator_states()
        >>> drawn = torch.rand(3)
        >>> restore_generators(states)
        >>> torch.equal(torch.rand(3), drawn)
        True
    """
    _, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    return {
        "python": random.getstate(),
        "numpy": (torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "gpu": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def restore_generators(states: dict[str, Any]) -> None:
    """Go on with numbers from where :func:`generator_states` was called."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    keys, *rest = states["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if states["gpu"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["gpu"])
