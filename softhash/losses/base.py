"""What a hash loss is."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class HashLoss(nn.Module, ABC):
    """A loss on relaxed codes.

    Subclass it or not: what counts is the method ``forward``. These hooks are called where they exist (on
    backbone and head as well):

    - ``setup(train)`` once, before a checkpoint is restored: make buffers from the training set's ``labels``,
      such as centres or a memory bank. What is random comes from a seed of the loss's own, so that every
      process and every resumed run gets the same.
    - ``on_step(step, total)`` before each optimisation step: continuation.
    - ``on_epoch_start(epoch, train)`` and ``on_epoch_end(epoch, train)``: steps that are not gradient steps;
      ``train.encode()`` passes over the whole training set.
    - ``param_groups(lr)``: optimiser groups of the loss's own parameters, by default all at ``lr``.

    A loss that compares images has the attribute ``kind``, a :data:`softhash.functional.similarity.Similarity`: data
    with a matrix of similarities in place of labels sets it to that. Others cannot learn from such data.

    ``train`` is a :class:`softhash.types.TrainingSet`. State lives in buffers and parameters: a resumed run then
    continues where it stopped.
    """

    @abstractmethod
    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Weighted terms, each 0-d; their sum is minimised and each is logged.

        Args:
            relaxed: ``(B, K)`` float32 (autocast is off here), output of the head.
            labels: ``(B, C)`` float32 multi-hot.
            rows: ``(B,)`` int64 positions in the training set.
        """


def check_at_least(minimum: float, **values: float) -> None:
    """Refuse numbers that are too small.

    Raises:
        ValueError: Names the first one.
    """
    for name, value in values.items():
        if value < minimum:
            msg = f"{name} must be at least {minimum:g}, got {value}"
            raise ValueError(msg)
