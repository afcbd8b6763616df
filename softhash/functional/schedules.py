"""Learning-rate schedules by optimisation step, from torch's own."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, StepLR


def constant(optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """The rates as they are."""
    return ConstantLR(optimizer, factor=1.0, total_iters=total_steps)


def cosine(optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """From the rates to 0 in half a period of a cosine."""
    return CosineAnnealingLR(optimizer, T_max=max(1, total_steps))


def staircase(optimizer: Optimizer, total_steps: int, every: int = 500, factor: float = 0.5) -> LRScheduler:
    """Multiply the rates by ``factor`` every ``every`` steps."""
    del total_steps
    return StepLR(optimizer, step_size=every, gamma=factor)
