"""Every measure of a run, from the codes on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from softhash.metrics.base import CodeMetric, TallyMetric, mean, refuse_without_labels
from softhash.metrics.evaluate import evaluate
from softhash.ranking.relevance import relevance_of
from softhash.runs.folder import read_arrays, read_json, write_arrays, write_json

CURVES = ("pairs", "empty_balls", "radius_precision", "radius_recall", "ranks", "rank_precision")


def write_random_codes(folder: Path, num_query: int, num_database: int, bits: int, seed: int) -> None:
    """Write codes without any knowledge of the images: what they score is the chance level."""
    rng = np.random.default_rng(seed)
    query, database = (
        np.packbits(rng.integers(2, size=(count, bits), dtype=np.uint8), axis=1, bitorder="little")
        for count in (num_query, num_database)
    )
    write_arrays(folder / "codes" / "random.npz", query=query, database=database)


def measure(folder: Path, metrics: Sequence[TallyMetric | CodeMetric]) -> dict[str, Any]:
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
    rankings = [metric for metric in metrics if isinstance(metric, TallyMetric)]
    others = [metric for metric in metrics if isinstance(metric, CodeMetric)]
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
        found = evaluate(rankings, query, database, relevance, bits)
        values = {
            name: {"expected": m.expected, "worst": m.worst, "best": m.best} for name, m in found.measures.items()
        }
        for metric in others:
            own = metric.values(
                torch.from_numpy(query),
                torch.from_numpy(labels["query_labels"]),
                torch.from_numpy(database),
                torch.from_numpy(labels["database_labels"]),
                bits,
            )
            values[metric.name] = dict.fromkeys(("expected", "worst", "best"), mean(own))
            per_query[f"{row}/{metric.name}"] = own.numpy()
        result["rows"][row] = result["rows"].get(row, {}) | values
        result["queries_without_relevant"] = found.queries_without_relevant
        per_query |= {f"{row}/{name}": m.per_query.numpy() for name, m in found.measures.items()}
        curves |= {f"{row}/{name}": getattr(found, name).numpy() for name in CURVES}
    earlier = folder / "per_query.npz"
    write_arrays(earlier, **((read_arrays(earlier) if earlier.is_file() else {}) | per_query))
    write_arrays(folder / "curves.npz", **curves)
    write_json(folder / "metrics.json", result)
    return result
