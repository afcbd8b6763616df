"""Estimators whose codes are compared by tables of the query, and not by Hamming distance."""

import torch
from torch import Tensor

from softhash.functional.codes import pack
from softhash.hashers.shallow import ShallowEncoder
from softhash.types import Codes


class TableEncoder(ShallowEncoder):
    """Backbone and estimator; a query is a table of scores for each byte of a code.

    Args:
        backbone: uint8 images to ``(B, D)`` features; has ``out_features`` and ``frozen``.
        estimator: Has ``bits``, scikit-learn's ``fit(features, labels)`` and ``transform(features)``, and
            ``tables(features)`` that gives ``(B, W, 256)`` scores, larger is nearer.
    """

    def forward(self, inputs: Tensor) -> Codes:
        """Codes of ``(B, channels, height, width)`` uint8 images, or ``(B, D)`` cached features."""
        features, relaxed = self.relaxed(inputs)
        tables = torch.as_tensor(self.head.estimator.tables(features.cpu().numpy()), device=features.device)
        return Codes(tables, pack(relaxed), self.bits, relaxed)
