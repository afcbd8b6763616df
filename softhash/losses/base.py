"""What a hash loss is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from softhash.functional.similarity import Similarity, check_bounded
from softhash.types import TrainingSet

LearnsFrom = Literal["nothing", "similarity", "classes"]


class HashLoss(nn.Module, ABC):
    """A loss on relaxed codes.

    Subclass it or not: what counts is the method ``forward``. It may name a fourth argument ``features``, to be given
    the ``(B, D)`` features that the codes were made of.

    These hooks are called where a loss, a head, a backbone or a part of one has them:

    - ``setup(train)`` once, before a checkpoint is restored: make buffers from the training set's ``labels``,
      such as a memory bank. What is random comes from a seed of the loss's own, so that every process and every
      resumed run gets the same. What encoding needs is made in constructors instead, so that a checkpoint can be
      read without the training set.
    - ``on_step(step, total)`` before each optimisation step: continuation.
    - ``on_epoch_start(epoch, train)`` and ``on_epoch_end(epoch, train)``: steps that are not gradient steps;
      ``train.encode()`` passes over the whole training set. The latter comes before validation.

    A loss may also have

    - ``param_groups(lr)``: optimiser groups of its own parameters, by default all at ``lr``;
    - ``views``: how often each image of a batch comes, each time augmented anew: with 2, ``relaxed[::2]`` and
      ``relaxed[1::2]`` are of the same images;
    - ``sample(epoch)``: ``(n,)`` int64 rows to train on in an epoch, a function of the epoch alone, always as many.

    ``train`` is a :class:`softhash.types.TrainingSet`. State lives in buffers and parameters: a resumed run then
    continues where it stopped.

    Attributes:
        learns_from: ``classes``, ``similarity`` (so that a matrix of similarities will do in place of labels), or
            ``nothing`` but the images.
    """

    learns_from: LearnsFrom = "classes"

    @abstractmethod
    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Weighted terms, each 0-d; their sum is minimised and each is logged.

        Args:
            relaxed: ``(B, K)`` float32 (autocast is off here), output of the head.
            labels: ``(B, C)`` float32 multi-hot.
            rows: ``(B,)`` int64 positions in the training set.
        """


class PairwiseLoss(HashLoss):
    """A loss that compares images by their similarity.

    Args:
        similarity: Compares label vectors, such as those of :mod:`softhash.functional.similarity`.

    Raises:
        ValueError: The similarity goes beyond 1, and the formula has no meaning there.
    """

    learns_from: LearnsFrom = "similarity"
    takes_counts = False  # whether similarities above 1 have a meaning

    def __init__(self, similarity: Similarity) -> None:
        super().__init__()
        if not self.takes_counts:
            check_bounded(similarity, type(self).__name__)
        self.similarity = similarity
        self._given: Callable[[Tensor, Tensor], Tensor] | None = None

    def setup(self, train: TrainingSet) -> None:
        """Take similarities from the training set where it has a matrix of them."""
        self._given = train.similarity

    def pairs(
        self, labels: Tensor, rows: Tensor, others: Tensor | None = None, other_rows: Tensor | None = None
    ) -> Tensor:
        """Similarities of training images to each other, or to others.

        Args:
            labels: ``(A, C)`` multi-hot float.
            rows: ``(A,)`` positions in the training set.
            others: ``(B, C)``; None for ``labels``.
            other_rows: ``(B,)``; None for ``rows``.

        Returns:
            ``(A, B)`` of the dtype of ``labels``.
        """
        others = labels if others is None else others
        if self._given is not None:
            return self._given(rows, rows if other_rows is None else other_rows).to(labels.dtype)
        return self.similarity(labels, others)
