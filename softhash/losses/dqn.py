"""Deep quantization network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet

WORDS = 256  # codewords per codebook: one byte
_ROWS = 4096  # assigned together


class Quantizer(nn.Module):
    r"""Codebooks, of each of which one codeword is taken: their sum stands for a vector.

    Args:
        num_codebooks: M.
        dimensions: D.

    Attributes:
        codebooks: ``(M, 256, D)`` float32; random until :meth:`fit`.
    """

    codebooks: Tensor

    def __init__(self, num_codebooks: int, dimensions: int) -> None:
        super().__init__()
        self.register_buffer("codebooks", torch.rand(num_codebooks, WORDS, dimensions) * 2 - 1)

    def fit(self, vectors: Tensor, rng: torch.Generator) -> None:
        """Product quantisation of ``(N, D)`` vectors: k-means in M blocks of dimensions, and zeros elsewhere."""
        self.codebooks.zero_()
        blocks = torch.arange(vectors.shape[1]).tensor_split(len(self.codebooks))
        for codebook, block in zip(self.codebooks, blocks, strict=True):
            codebook[:, block] = k_means(vectors[:, block], WORDS, rng)

    def assign(self, vectors: Tensor) -> Tensor:
        """``(N, D)`` vectors to ``(N, M)`` uint8 codewords."""
        whole = torch.compiler.is_compiling()  # a graph takes batches of any size
        parts = [vectors] if whole else vectors.split(_ROWS)
        return torch.cat([icm(part, self.codebooks) for part in parts]).to(torch.uint8)

    def tables(self, vectors: Tensor) -> Tensor:
        """``(N, M, 256)`` inner products of ``(N, D)`` vectors with all codewords."""
        return torch.einsum("nd,mwd->nmw", vectors, self.codebooks)


class DQNLoss(PairwiseLoss):
    r"""Cosines of pairs near 1 or -1, and vectors near the sums of codewords that stand for them.

    With vectors z of a layer with tanh, the ``pair`` term is the mean of :math:`(2 s_{ij} - 1 - \cos(z_i, z_j))^2` over
    all pairs of the batch, and ``quantization`` :math:`\lambda` times the mean of
    :math:`\lVert z - \sum_m C_m h_m \rVert^2`, where the codewords :math:`C_m h_m` of a training image are those that
    it was assigned when the codebooks were last fitted; the term is 0 before.

    Codebooks are fitted to all training images after the first epoch and then every ``epochs_per_fit``.

    Source: Cao, Long, Wang, Zhu and Wen, AAAI 2016; values of the group's TensorFlow code, which fits after the second
    epoch for the first time.

    Args:
        quantization_weight: lambda.
        epochs_per_fit: Epochs between two fits.
        refit: Move the codewords to the least-squares solution for the assignment, and assign again; the formula is in
            the group's code, which does not call it.
        seed: Seed of k-means.
        similarity: Compares label vectors; ``share`` is the paper's.

    Attributes:
        quantizer: The codebooks of the encoder, set by :class:`softhash.hashers.dqn.DQNHasher`.
        codes: ``(N, M)`` uint8 codewords of the training images.

    Raises:
        ValueError: ``quantization_weight`` is negative, or ``epochs_per_fit`` below 1.
    """

    quantizer: Quantizer
    codes: Tensor
    fitted: Tensor

    def __init__(
        self,
        quantization_weight: float = 1e-4,
        epochs_per_fit: int = 2,
        refit: bool = False,
        seed: int = 0,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_at_least(0, quantization_weight=quantization_weight)
        check_at_least(1, epochs_per_fit=epochs_per_fit)
        self.quantization_weight, self.epochs_per_fit, self.refit = quantization_weight, epochs_per_fit, refit
        self.seed = seed

    def setup(self, train: TrainingSet) -> None:
        """Make room for the codewords of the training images.

        Raises:
            ValueError: Nobody has set ``quantizer``.
        """
        super().setup(train)
        if not hasattr(self, "quantizer"):
            msg = "method=dqn fits the codebooks of an encoder and works with hasher=dqn alone"
            raise ValueError(msg)
        num_codebooks = len(self.quantizer.codebooks)
        self.register_buffer("codes", torch.zeros(len(train.labels), num_codebooks, dtype=torch.uint8))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    def on_epoch_end(self, epoch: int, train: TrainingSet) -> None:
        """Fit the codebooks, and assign codewords to the training images."""
        if epoch % self.epochs_per_fit == 0:
            vectors = train.encode()[1]
            self.quantizer.fit(vectors, torch.Generator().manual_seed(self.seed + epoch))
            self.codes[:] = self.quantizer.assign(vectors)
            if self.refit:
                self.quantizer.codebooks[:] = least_squares(vectors, self.codes.long(), self.quantizer.codebooks)
                self.codes[:] = self.quantizer.assign(vectors)
            self.fitted.fill_(value=True)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        unit = F.normalize(relaxed)
        pair = (2 * self.pairs(labels, rows) - 1 - unit @ unit.T).square().mean()
        error = (relaxed - decode(self.codes[rows].long(), self.quantizer.codebooks)).square().sum(1).mean()
        return {"pair": pair, "quantization": self.quantization_weight * self.fitted * error}


def decode(codes: Tensor, codebooks: Tensor) -> Tensor:
    """``(N, D)`` sums of the codewords ``(N, M)`` int64 of ``(M, W, D)`` codebooks."""
    return codebooks[torch.arange(len(codebooks), device=codes.device), codes].sum(1)


def icm(vectors: Tensor, codebooks: Tensor, sweeps: int = 3) -> Tensor:
    """Choose codewords whose sum is near a vector, one codebook after the other (iterated conditional modes).

    It starts at zero vectors in place of codewords.

    Args:
        vectors: ``(N, D)``.
        codebooks: ``(M, W, D)``.
        sweeps: How often each codebook comes.

    Returns:
        ``(N, M)`` int64.
    """
    codes = torch.zeros(len(vectors), len(codebooks), dtype=torch.int64, device=vectors.device)
    parts = vectors.new_zeros(len(codebooks), *vectors.shape)
    for _ in range(sweeps):
        for m, codebook in enumerate(codebooks):
            residual = vectors - parts.sum(0) + parts[m]
            codes[:, m] = (codebook.square().sum(1) - 2 * residual @ codebook.T).argmin(1)
            parts[m] = codebook[codes[:, m]]
    return codes


def least_squares(vectors: Tensor, codes: Tensor, codebooks: Tensor, penalty: float = 0.001) -> Tensor:
    """Codebooks ``(M, W, D)`` whose sums are nearest to the vectors; codewords that nothing is assigned to stay.

    Args:
        vectors: ``(N, D)``.
        codes: ``(N, M)`` int64, which codewords are assigned.
        codebooks: ``(M, W, D)`` as they are.
        penalty: Weight of the squared size of the codewords.
    """
    chosen = F.one_hot(codes, codebooks.shape[1]).flatten(1).to(vectors.dtype)
    identity = torch.eye(chosen.shape[1], dtype=vectors.dtype, device=vectors.device)
    solution = torch.linalg.solve(chosen.T @ chosen + penalty * identity, chosen.T @ vectors)
    used = chosen.any(0)[:, None]
    return torch.where(used, solution, codebooks.flatten(0, 1)).reshape(codebooks.shape)


def k_means(vectors: Tensor, num_centers: int, rng: torch.Generator, iterations: int = 20) -> Tensor:
    """``(num_centers, D)`` centres of ``(N, D)`` vectors; they start at random ones, and empty ones stay."""
    first = torch.cat([torch.randperm(len(vectors), generator=rng) for _ in range(-(-num_centers // len(vectors)))])
    centers = vectors[first[:num_centers].to(vectors.device)]
    for _ in range(iterations):
        nearest = (centers.square().sum(1) - 2 * vectors @ centers.T).argmin(1)
        member = F.one_hot(nearest, num_centers).to(vectors.dtype)
        counts = member.sum(0)[:, None]
        centers = torch.where(counts > 0, member.T @ vectors / counts.clamp(min=1), centers)
    return centers
