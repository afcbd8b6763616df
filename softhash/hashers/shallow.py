"""A classical estimator on the features of a backbone that is not trained."""

from typing import Any

import torch
from torch import Tensor, nn

from softhash.hashers.base import Hasher, TrainingPass


class ShallowHasher(Hasher):
    """Estimator with scikit-learn's ``fit`` and ``transform``, fitted once before codes are first needed.

    Its fitted attributes (names ending in ``_``) are saved in checkpoints.

    Args:
        name: Name of the method, of its row in tables and of its file of codes.
        backbone: uint8 images to ``(B, D)`` features; has ``out_features`` and ``frozen``.
        estimator: Has ``num_bits``, ``fit(features, labels)`` and ``transform(features)``.
    """

    def __init__(self, name: str, backbone: nn.Module, estimator: Any) -> None:
        super().__init__(name, estimator.num_bits, backbone)
        self.estimator = estimator

    def relax(self, features: Tensor) -> Tensor:
        """``(B, K)`` relaxed codes of ``(B, D)`` features."""
        return torch.as_tensor(self.estimator.transform(features.cpu().numpy()), device=features.device)

    def on_test_start(self) -> None:
        """Fit on the features of the training set, unless a checkpoint has been loaded."""
        if not self._fitted():
            train = TrainingPass(self)
            self.estimator.fit(train.features().cpu().numpy(), train.labels.numpy())

    def configure_optimizers(self) -> None:
        """Nothing is trained by gradient."""

    def get_extra_state(self) -> dict[str, Tensor]:
        """Fitted attributes as tensors, so that a checkpoint can be loaded without running code."""
        return {name: torch.as_tensor(value) for name, value in self._fitted().items()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore what :meth:`get_extra_state` gave."""
        for name, value in state.items():
            setattr(self.estimator, name, value.numpy())

    def _fitted(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self.estimator).items() if name.endswith("_")}
