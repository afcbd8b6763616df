"""Counting pairs with one matrix product, for devices that are made for it."""

import torch
from torch import Tensor

from softhash.functional.codes import unpack

_PAIRS = 1 << 22  # looked at together: 16 MB of float32


def count_by_matmul(
    query_codes: Tensor,
    database_codes: Tensor,
    query_labels: Tensor,
    database_labels: Tensor,
    bits: int,
    grades: int,
) -> Tensor:
    """Count pairs by differing bits and by shared labels, on any device.

    With codes of -1 and 1, ``R K / 2 - R / 2 <q, d> + shared`` is R times the distance plus the shared
    labels: the cell of a pair is a row times a column. All numbers are multiples of a half below 2^23, so that
    float32 is exact, and the factors have at most 11 binary digits, so that reduced-precision products are
    exact, too.

    Args:
        query_codes: ``(Q, W)`` packed uint8.
        database_codes: ``(N, W)`` packed uint8.
        query_labels: ``(Q, C)`` multi-hot.
        database_labels: ``(N, C)`` multi-hot.
        bits: Code length K.
        grades: R, above the largest number of shared labels, at most 2,048.

    Returns:
        ``(Q, K + 1, R)`` int64 on the device of the codes.
    """
    cells = (bits + 1) * grades
    rows = torch.cat([_signs(query_codes, bits) * (-grades / 2), query_labels.float()], dim=1)
    offsets = cells * torch.arange(len(rows), device=rows.device)[:, None]
    result = torch.zeros(len(rows) * cells, dtype=torch.int64, device=rows.device)
    block = max(1, _PAIRS // len(rows))
    for start in range(0, len(database_codes), block):
        part = slice(start, start + block)
        columns = torch.cat([_signs(database_codes[part], bits), database_labels[part].float()], dim=1)
        cell = (rows @ columns.T + grades * bits / 2).long() + offsets
        result += torch.bincount(cell.flatten(), minlength=len(result))
    return result.reshape(len(rows), bits + 1, grades)


def _signs(codes: Tensor, bits: int) -> Tensor:
    """``(N, W)`` packed codes to ``(N, K)`` float32 of -1 and 1."""
    return unpack(codes, bits).float() * 2 - 1
