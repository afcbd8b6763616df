"""What codes look like: balance, correlation and entropy of their bits."""

import torch
from torch import Tensor


def bit_balance(bits: Tensor) -> Tensor:
    """Share of ones of each bit: ``(N, K)`` bool to ``(K,)`` float64; 0.5 is best."""
    return bits.double().mean(0)


def bit_correlation(bits: Tensor) -> Tensor:
    """Correlation of each two bits over images: ``(N, K)`` bool to ``(K, K)`` float64 in [-1, 1].

    A bit that is the same for all images has correlation 0 with all others, and 1 with itself.
    """
    centred = bits.double() - bit_balance(bits)
    covariance = centred.T @ centred
    norm = covariance.diagonal().sqrt()
    correlation = covariance / (norm[:, None] * norm[None]).clamp(min=1e-12)
    return correlation.fill_diagonal_(1.0)


def bit_entropy(bits: Tensor) -> float:
    """Mean entropy of the bits, in bits: 1 where each is balanced, 0 where each is constant."""
    p = bit_balance(bits)
    return float(-(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).mean() / torch.log(torch.tensor(2.0)))


def effective_bits(bits: Tensor) -> float:
    """How many uncorrelated bits carry as much: ``(sum of eigenvalues)^2 / sum of their squares`` of the correlation.

    A bit that is the same for all images carries nothing. K where no two bits are correlated, 1 where all are copies of
    one, 0 where all are constant.
    """
    balance = bit_balance(bits)
    varying = bits[:, (balance > 0) & (balance < 1)]
    if not varying.shape[1]:
        return 0.0
    return varying.shape[1] ** 2 / float(bit_correlation(varying).square().sum())


def fraction_near_zero(relaxed: Tensor, threshold: float = 0.1) -> float:
    """Share of relaxed values whose size is below a share of the mean size: bits that small changes would flip."""
    sizes = relaxed.abs()
    return float((sizes < threshold * sizes.mean()).double().mean())
