"""A classical estimator on the features of a backbone that is not trained."""

from typing import Any

import torch
from torch import Tensor, nn

from softhash.hashers.base import Hasher, TrainingPass
from softhash.hashers.encoder import Encoder


class EstimatorHead(nn.Module):
    """Features to relaxed codes by an estimator.

    Its fitted attributes (names ending in ``_``) are the state of the module, as tensors, so that a checkpoint can be
    read without running code.

    Args:
        in_features: D, which the estimator finds out by itself.
        estimator: Has scikit-learn's ``fit(features, labels)`` and ``transform(features)``.
    """

    def __init__(self, in_features: int, estimator: Any) -> None:
        super().__init__()
        self.in_features, self.estimator = in_features, estimator

    @property
    def fitted(self) -> dict[str, Any]:
        """Fitted attributes of the estimator, by name; none before it was fitted."""
        return {name: value for name, value in vars(self.estimator).items() if name.endswith("_")}

    def forward(self, features: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, K)``."""
        return torch.as_tensor(self.estimator.transform(features.cpu().numpy()), device=features.device)

    def get_extra_state(self) -> dict[str, Tensor]:
        """Fitted attributes as tensors."""
        return {name: torch.as_tensor(value) for name, value in self.fitted.items()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore what :meth:`get_extra_state` gave."""
        for name, value in state.items():
            setattr(self.estimator, name, value.numpy())


class ShallowEncoder(Encoder):
    """Backbone and estimator.

    Args:
        backbone: uint8 images to ``(B, D)`` features; has ``out_features`` and ``frozen``.
        estimator: Has ``bits``, and scikit-learn's ``fit(features, labels)`` and ``transform(features)``.
    """

    head: EstimatorHead

    def __init__(self, backbone: nn.Module, estimator: Any) -> None:
        super().__init__(estimator.bits, backbone, lambda in_features: EstimatorHead(in_features, estimator))


class ShallowHasher(Hasher):
    """An estimator that is fitted once, before codes are first needed.

    Args:
        name: Name of the method in tables and of its file of codes.
        encoder: Backbone and estimator.
    """

    encoder: ShallowEncoder

    def __init__(self, name: str, encoder: ShallowEncoder) -> None:
        super().__init__(name, encoder)
        self.learns_from = getattr(encoder.head.estimator, "learns_from", "classes")

    def on_validation_start(self) -> None:
        """Fit on the features of the training set, unless a checkpoint has been loaded."""
        if not self.encoder.head.fitted:
            train = TrainingPass(self)
            self.encoder.head.estimator.fit(train.features().cpu().numpy(), train.labels.numpy())

    def on_test_start(self) -> None:
        """The same."""
        self.on_validation_start()

    def configure_optimizers(self) -> None:
        """Nothing is trained by gradient."""
