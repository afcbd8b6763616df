"""SCBCH: soft contrast by graded similarity, made robust to noisy labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.codes import signs
from softhash.functional.similarity import Similarity, jaccard
from softhash.losses.base import PairwiseLoss


class SCBCHLoss(PairwiseLoss):
    r"""Cosines pushed down as far as images are dissimilar, and up where they share a label.

    With S the cosines of codes, T the overlap of labels (shared over labels of either), and a pair *hard* where
    :math:`S_{ij} \ge S_{ii} - \mathrm{margin}`: a cost :math:`\hat S_{ij}` is :math:`S_{ij}` for hard pairs, and less
    by ``shift`` for the others. The ``contrast`` term is the mean over pairs of
    :math:`\tau \exp(\hat S (1 - T) / \tau)`, summed over both directions of a pair, and of
    :math:`\exp(\mathrm{shift} - S)` for pairs that share a label, less the mean of :math:`S_{ii}`. Quantisation is
    the mean distance of the entries of codes with norm 1 from their signs, which hardly changes.

    Source: Peng et al., AAAI 2026, arXiv:2511.07780; formula of the authors' code. They compare images and texts; here
    both sides are the images of the batch. Differs: without their classifiers, and without the weights that they give
    to images whose neighbours have other labels.

    Args:
        margin: How far below an image's similarity to itself a pair is hard; the authors have 0.15 for MIRFlickr, 0.2
            for NUS-WIDE and 0.3 for COCO.
        shift: By how much the cost of other pairs is reduced; 0.8, 1 and 1.1.
        temperature: tau.
        contrast_weight: alpha.
        quantization_weight: beta, of both modalities.
        similarity: Compares label vectors; ``jaccard`` is the paper's.

    Raises:
        ValueError: A number is negative, or the temperature not above 0.
    """

    def __init__(
        self,
        margin: float = 0.15,
        shift: float = 0.8,
        temperature: float = 1.0,
        contrast_weight: float = 0.7,
        quantization_weight: float = 0.3,
        similarity: Similarity = jaccard,
    ) -> None:
        super().__init__(similarity)
        check_at_least(
            0, margin=margin, shift=shift, contrast_weight=contrast_weight, quantization_weight=quantization_weight
        )
        if temperature <= 0:
            msg = f"temperature must be above 0, got {temperature}"
            raise ValueError(msg)
        self.margin, self.shift, self.temperature = margin, shift, temperature
        self.contrast_weight, self.quantization_weight = contrast_weight, quantization_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``contrast`` and ``quantization``."""
        codes = F.normalize(relaxed)
        contrast = soft_contrast(codes @ codes.T, self.pairs(labels, rows), self.margin, self.shift, self.temperature)
        quantization = (codes - signs(codes)).abs().mean()
        return {
            "contrast": self.contrast_weight * contrast,
            "quantization": 2 * self.quantization_weight * quantization,
        }


def soft_contrast(cosines: Tensor, similarity: Tensor, margin: float, shift: float, temperature: float = 1.0) -> Tensor:
    """The contrast of :class:`SCBCHLoss`, 0-d, without its weight.

    Args:
        cosines: ``(B, B)`` of codes of one modality (lines) and of another (columns), in the same order.
        similarity: ``(B, B)`` in [0, 1].
        margin: How far below the cosine of an image with itself a pair is hard.
        shift: By how much the cost of other pairs is reduced.
        temperature: tau.
    """
    own = cosines.diagonal()
    diagonal = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    repulsion = cosines.new_zeros(())
    for itself in (own[:, None], own):
        cost = torch.where(cosines >= itself - margin, cosines, cosines - shift)
        cost = torch.where(diagonal, cost.relu(), cost)
        repulsion = repulsion + temperature * (cost / temperature * (1 - similarity)).exp().mean()
    related = (similarity - diagonal.to(similarity.dtype)) > 0
    attraction = (shift - cosines).exp().where(related, 0.0).mean()
    return repulsion + attraction - own.mean()
