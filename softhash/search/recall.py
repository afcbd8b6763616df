"""How much of what exact search finds an engine finds."""

import numpy as np

from softhash.search.engine import Filter
from softhash.search.exact import ExactSearcher, words_of
from softhash.search.index import Index


def recall(index: Index, num_queries: int, top_k: int) -> float:
    """Part of what was wanted that comes and is not farther than the last that exact search finds, in [0, 1].

    Which images at that last distance come does not matter.

    Args:
        index: Codes of its own, evenly spaced, are searched for.
        num_queries: How many, at most all.
        top_k: How many to find for each, at most as many as there are images.
    """
    collection = index.collection
    rows = np.unique(np.linspace(0, len(index) - 1, min(num_queries, len(index))).astype(np.int64))
    queries = np.ascontiguousarray(collection.codes[rows])
    exact = ExactSearcher(collection, words_of(collection.codes)).nearest(queries, top_k, Filter())
    found = index.search(queries, top_k)
    near = [(some.distances <= all_.distances[-1]).sum() for some, all_ in zip(found, exact, strict=True)]
    return float(np.sum(near)) / (len(rows) * top_k)
