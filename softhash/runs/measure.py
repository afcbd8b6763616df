"""Every measure of a run, from the codes on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softhash.metrics.base import CodeMetric, RankingMetric, refuse_without_labels
from softhash.metrics.evaluate import evaluate
from softhash.ranking.relevance import relevance_of
from softhash.runs.folder import read_arrays, read_json, write_arrays, write_json


def write_random_codes(folder: Path, num_query: int, num_database: int, bits: int, seed: int) -> None:
    """Write codes without any knowledge of the images: what they score is the chance level."""
    rng = np.random.default_rng(seed)
    query, database = (
        np.packbits(rng.integers(2, size=(count, bits), dtype=np.uint8), axis=1, bitorder="little")
        for count in (num_query, num_database)
    )
    write_arrays(folder / "codes" / "random.npz", query=query, database=database)


def measure(folder: Path, metrics: Sequence[RankingMetric | CodeMetric]) -> dict[str, Any]:
    """Evaluate every file of codes of a run, and write ``metrics.json``, ``per_query.npz`` and ``curves.npz``.

    Measures that are there already and not among ``metrics`` are kept. The rows are those that ``run.json``
    names: the method, then what it is compared with.

    Args:
        folder: Run folder.
        metrics: The measures.

    Returns:
        The content of ``metrics.json``: ``rows[row][measure]`` has ``expected``, ``worst`` and ``best`` over
        the orders of items at equal distance.

    Raises:
        ValueError: A measure needs labels, and the run has similarities.
    """
    run, labels = read_json(folder / "run.json"), read_arrays(folder / "codes" / "labels.npz")
    result: dict[str, Any] = {**run["identity"], "rows": read_json(folder / "metrics.json").get("rows", {})}
    relevance = relevance_of(labels)
    if not relevance.class_names:
        refuse_without_labels(metrics)
    stated = {metric.name: dict(metric.conventions) for metric in metrics}
    result["conventions"] = read_json(folder / "metrics.json").get("conventions", {}) | stated
    per_query: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    for row in run["rows"]:
        codes = read_arrays(folder / "codes" / f"{row}.npz")
        query, database, bits = codes["query"], codes["database"], run["identity"]["bits"]
        found = evaluate(metrics, query, database, relevance, bits)
        result["rows"][row] = result["rows"].get(row, {}) | found.values()
        result["queries_without_relevant"] = found.queries_without_relevant
        per_query |= {f"{row}/{name}": scores for name, scores in found.per_query().items()}
        curves |= {f"{row}/{name}": curve for name, curve in found.curves().items()}
    earlier = folder / "per_query.npz"
    write_arrays(earlier, **((read_arrays(earlier) if earlier.is_file() else {}) | per_query))
    write_arrays(folder / "curves.npz", **curves)
    write_json(folder / "metrics.json", result)
    return result
