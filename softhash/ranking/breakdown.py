"""Values of queries, broken down by what is in them."""

import torch
from torch import Tensor


def by_number_of_labels(per_query: Tensor, query_labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean value of the queries with each number of labels.

    Args:
        per_query: ``(Q,)`` values of a measure; NaN is left out.
        query_labels: ``(Q, C)`` multi-hot.

    Returns:
        ``(G,)`` int64 numbers of labels that occur, ascending; ``(G,)`` int64 queries with as many; ``(G,)``
        float64 means, NaN where nothing is left.

    Example:
        >>> by_number_of_labels(torch.tensor([0.5, 1.0, 0.0]), torch.tensor([[1, 1], [1, 0], [0, 1]]))[2]
        tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    numbers = query_labels.sum(1, dtype=torch.int64)
    found = numbers.unique()
    groups = numbers[:, None] == found
    return found, groups.sum(0), _means(per_query, groups)


def by_label(per_query: Tensor, query_labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean value of the queries that have each label; a query counts for each of its labels.

    Args:
        per_query: ``(Q,)`` values of a measure; NaN is left out.
        query_labels: ``(Q, C)`` multi-hot.

    Returns:
        ``(C,)`` int64 queries with the label, and ``(C,)`` float64 means, NaN where there is none.
    """
    groups = query_labels > 0
    return groups.sum(0), _means(per_query, groups)


def _means(per_query: Tensor, groups: Tensor) -> Tensor:
    counted = (groups & ~per_query.isnan()[:, None]).double()
    return (counted * per_query.double().nan_to_num()[:, None]).sum(0) / counted.sum(0)
