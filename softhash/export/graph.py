"""An encoder as one graph from images to packed codes."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from softhash.hashers.encoder import Encoder
from softhash.hashers.shallow import EstimatorHead


class Graph(nn.Module):
    """uint8 images to the packed codes that they have in a database, by tensors alone.

    Args:
        encoder: In evaluation mode; it is not changed.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder)
        if isinstance(encoder.head, EstimatorHead):
            self.encoder.head = TensorEstimator(encoder.head)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, channels, height, width)`` uint8 to ``(B, W)`` uint8."""
        relaxed = self.encoder.relax(self.encoder.features(images).float())
        return self.encoder.items(relaxed.float())


class TensorEstimator(nn.Module):
    """A fitted estimator whose ``relax`` works on tensors as it does on arrays: sums, products, indexing.

    Args:
        head: Has the estimator.
    """

    def __init__(self, head: EstimatorHead) -> None:
        super().__init__()
        self.estimator = copy.copy(head.estimator)
        self.fitted = list(head.fitted)
        for name, value in head.get_extra_state().items():
            self.register_buffer(name, value)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, K)`` float32, computed in float64 as the estimator does."""
        for name in self.fitted:
            setattr(self.estimator, name, getattr(self, name))
        relaxed: Any = self.estimator.relax(features.double())
        return torch.as_tensor(relaxed).float()


def traced(encoder: Encoder, images: Tensor) -> ExportedProgram:
    """The graph of an encoder, for any number of images of one size.

    Args:
        encoder: In evaluation mode.
        images: ``(B, channels, height, width)`` uint8 with B at least 2.

    Raises:
        ValueError: It computes something that a graph cannot have; says what.
    """
    graph = Graph(encoder).eval().requires_grad_(requires_grad=False)
    try:
        with torch.no_grad():
            return torch.export.export(graph, (images,), dynamic_shapes={"images": {0: Dim("batch")}}, strict=False)
    except Exception as error:  # whatever torch, numpy or an estimator raises on tensors that have no values
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        msg = (
            f"this encoder cannot be exported: {reason}\n"
            "  It computes with more than tensors, as classical methods with kernels or trees do. softhash encode"
            " runtime=torch encodes with any."
        )
        raise ValueError(msg) from error
