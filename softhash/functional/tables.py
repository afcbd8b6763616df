"""Scores of codes by tables of the query, for asymmetric distances."""

import torch
from torch import Tensor


def look_up(tables: Tensor, codes: Tensor) -> Tensor:
    """Add up, over the bytes of a code, what the query's table holds for each.

    Hamming distance, weighted bits, product and additive quantisation are all of this form.

    Args:
        tables: ``(Q, W, 256)`` real; a larger sum is nearer.
        codes: ``(N, W)`` uint8.

    Returns:
        ``(Q, N)`` float64 scores. Equal codes have equal scores, to the last digit.

    Example:
        >>> ones = torch.tensor([[bin(byte).count("1") for byte in range(256)]])
        >>> look_up(-ones[None].float(), torch.tensor([[0], [3], [255]], dtype=torch.uint8))
        tensor([[ 0., -2., -8.]], dtype=torch.float64)
    """
    scores = torch.zeros(len(tables), len(codes), dtype=torch.float64, device=tables.device)
    for byte in range(codes.shape[1]):
        scores += tables[:, byte].double().index_select(1, codes[:, byte].long())
    return scores


def check_tables(tables: Tensor, codes: Tensor) -> None:
    """Refuse tables that do not fit the codes.

    Raises:
        ValueError: They are none for each byte of a code, not floating-point, or NaN.
    """
    shape = (codes.shape[1], 256) if codes.ndim == 2 else ("W", 256)
    if tables.ndim != 3 or tuple(tables.shape[1:]) != shape or not tables.is_floating_point():
        found = f"{tuple(tables.shape)} of {tables.dtype}"
        msg = f"tables must be (Q, {shape[0]}, 256) real, one for each byte of database_codes, got {found}"
        raise ValueError(msg)
    if bool(tables.isnan().any()):
        msg = f"tables has {int(tables.isnan().sum())} NaN values"
        raise ValueError(msg)
