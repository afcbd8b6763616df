"""A hasher whose head sees the labels of a batch, as edges of a graph."""

import torch
from torch import Tensor

from softhash.functional.distributed import gather_batch
from softhash.hashers.deep import DeepHasher
from softhash.types import Batch


class GCNHHasher(DeepHasher):
    """Features of a batch, of all processes with ``global_batch``, go through the graph together.

    Args:
        options: Those of :class:`softhash.hashers.deep.DeepHasher`.
    """

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted terms of the loss."""
        features = self.encoder.features(batch.inputs)
        with torch.autocast(self.device.type, enabled=False):
            features, labels, rows = features.float(), batch.labels.float(), batch.rows
            if self.global_batch:
                features, labels, rows = gather_batch(features, labels, rows)
            terms: dict[str, Tensor] = self.loss(self.encoder.head(features, labels), labels, rows)
        return terms
