"""The mAP that published code prints, to compare with old tables.

Their number depends on the order of equal distances, so on the order of the database and on the sorting
routine. Each function ranks and averages as that code does, with the same routine on the same kind of
numbers; ``stable=True`` puts equal distances in database order instead, which gives the same number on every
machine.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from softhash.functional.checks import check_option
from softhash.functional.codes import unpack

_QUERIES = 64  # whose distances are in memory together


def deephash_pytorch_map(
    query_codes: Tensor,
    query_labels: Tensor,
    database_codes: Tensor,
    database_labels: Tensor,
    bits: int,
    top_k: int = -1,
    *,
    stable: bool = False,
) -> float:
    """The mAP of ``CalcTopMap`` of swuxyj/DeepHash-pytorch.

    Divided by the relevant items within the top k; queries without one count as 0. The default ``top_k`` of
    -1, which that code uses for "all", leaves out the last item of the ranking.

    Args:
        query_codes: ``(Q, W)`` packed uint8, in the order of the file; so are the others.
        query_labels: ``(Q, C)`` multi-hot.
        database_codes: ``(N, W)`` packed uint8.
        database_labels: ``(N, C)`` multi-hot.
        bits: Code length K.
        top_k: End of the ranking as a Python slice: -1 is all but the last.
        stable: Equal distances in database order, not as numpy's default sort leaves them.
    """
    kind: Literal["stable", "quicksort"] = "stable" if stable else "quicksort"
    total = 0.0
    for distances, relevant in _pairs(query_codes, query_labels, database_codes, database_labels, bits):
        for row in range(len(distances)):
            ranked = relevant[row][np.argsort(distances[row], kind=kind)][:top_k]
            total += _average_precision(ranked) if ranked.any() else 0.0
    return total / len(query_codes)


def hashnet_map(
    query_codes: Tensor,
    query_labels: Tensor,
    database_codes: Tensor,
    database_labels: Tensor,
    bits: int,
    top_k: int,
    *,
    release: Literal["pytorch", "caffe"] = "pytorch",
    stable: bool = False,
) -> float:
    """The mAP of ``mean_average_precision`` of thuml/HashNet, which holds two functions of that name.

    That of ``pytorch/src/test.py`` excludes queries without a relevant item in the top k. That of
    ``caffe/models/predict/*/predict_parallel.py``, the older one and so probably that of the paper's tables, excludes
    queries without a relevant item in the whole database; those that find none in the top k count as 0. NaN where no
    query is left.

    Args:
        query_codes: ``(Q, W)`` packed uint8, in the order of the file; so are the others.
        query_labels: ``(Q, C)`` multi-hot.
        database_codes: ``(N, W)`` packed uint8.
        database_labels: ``(N, C)`` multi-hot.
        bits: Code length K.
        top_k: Length of the list.
        release: Which of the two.
        stable: Equal distances in database order, not as numpy's default sort leaves them.

    Raises:
        ValueError: ``release`` is none of these.
    """
    check_option("release", release, ("pytorch", "caffe"))
    kind: Literal["stable", "quicksort"] = "stable" if stable else "quicksort"
    found = []
    for distances, relevant in _pairs(query_codes, query_labels, database_codes, database_labels, bits):
        order = np.argsort(2 * distances.T - bits, axis=0, kind=kind)  # of the negated inner products, by column
        for row in range(len(distances)):
            ranked = relevant[row, order[:top_k, row]]
            if ranked.any():
                found.append(_average_precision(ranked))
            elif release == "caffe" and relevant[row].any():
                found.append(0.0)
    return float(np.mean(found)) if found else float("nan")


def orthohash_map(
    query_codes: Tensor,
    query_labels: Tensor,
    database_codes: Tensor,
    database_labels: Tensor,
    bits: int,
    top_k: int,
    *,
    stable: bool = False,
) -> float:
    """The mAP of ``calculate_mAP`` of kamwoh/orthohash.

    Ranked by ``torch.topk``; queries without a relevant item count as 0. See
    :func:`deephash_pytorch_map` for the arguments.
    """
    found = []
    for distances, relevant in _pairs(query_codes, query_labels, database_codes, database_labels, bits):
        if stable:
            order = np.argsort(distances, axis=1, kind="stable")[:, :top_k]
        else:
            order = torch.topk(torch.from_numpy(distances), top_k, dim=1, largest=False)[1].numpy()
        for row in range(len(distances)):
            ranked = relevant[row, order[row]]
            found.append(_average_precision(ranked) if ranked.any() else 0.0)
    return float(np.mean(found))


def _pairs(
    query_codes: Tensor, query_labels: Tensor, database_codes: Tensor, database_labels: Tensor, bits: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Float32 Hamming distances and relevance, ``(q, N)`` each, for some queries at a time."""
    query, database = (unpack(codes, bits).cpu().float().numpy() * 2 - 1 for codes in (query_codes, database_codes))
    wanted, offered = (labels.cpu().float().numpy() for labels in (query_labels, database_labels))
    for start in range(0, len(query), _QUERIES):
        rows = slice(start, start + _QUERIES)
        yield np.float32(0.5) * (bits - query[rows] @ database.T), wanted[rows] @ offered.T > 0


def _average_precision(ranked: np.ndarray) -> float:
    """Mean precision at the ranks of relevant items; there is at least one."""
    ranks = np.flatnonzero(ranked) + 1
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))
