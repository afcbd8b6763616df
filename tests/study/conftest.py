import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from softhash.ranking.relevance import LabelRelevance
from softhash.runs.folder import Method, Record, Result, Run
from softhash.study.collect import Choice, Study, collect
from softhash.study.table import Style

WriteRun = Callable[..., Run]
QUERIES = 6
METRIC = "mAP"


def scores_of(values: Sequence[float]) -> dict[str, float]:
    value = float(np.nanmean(values))
    return {"expected": value, "worst": value - 0.01, "best": value + 0.01}


def writer(folder: Path) -> WriteRun:
    """What writes the folder of a finished run, whose scores of each query are given, by metric, beside LSH and chance."""

    def write(
        method: str = "idhn",
        seed: int = 0,
        values: dict[str, Sequence[float]] | Sequence[float] = (0.5,) * QUERIES,
        *,
        bits: int = 16,
        data: str = "toy",
        overrides: Sequence[str] = (),
        checksum: str = "c0ffee" * 8,
        lsh: float = 0.25,
        place: str = "runs",
        counts: dict[str, int] | None = None,
        conventions: dict[str, Any] | None = None,
    ) -> Run:
        by_metric = values if isinstance(values, dict) else {METRIC: values}
        queries = len(next(iter(by_metric.values())))
        parent = folder / place / data / method / str(bits)
        run = Run(parent / f"{seed}-{len(list(parent.glob('*')))}")
        methods = [Method(method, bits, own=True), Method("lsh", bits, own=False), Method("random", bits, own=False)]
        record = Record(
            method=method,
            data=data,
            bits=bits,
            seed=seed,
            overrides=list(overrides),
            checksum=checksum,
            counts=counts or {"train": 40, "validation": 4, "query": queries, "database": 9},
            methods=methods,
            versions={"commit": "abc"},
            metrics=["map_all"],
            top_k=None,
        )
        run.write_record(record)
        labels = [torch.tensor([[1, 0], [1, 1]] * 20, dtype=torch.uint8)[:count] for count in (queries, 9)]
        ids = [np.array([f"{data}-{side}{i}" for i in range(len(one))]) for side, one in zip("qd", labels, strict=True)]
        run.write_relevance(LabelRelevance(*labels, ["cat", "dog"]), *ids)
        of_methods = {
            method: by_metric,
            "lsh": {name: [lsh] * queries for name in by_metric},
            "random": {name: [0.125] * queries for name in by_metric},
        }
        run.write_per_query(
            {f"{m}/{name}": np.array(v, dtype=float) for m, of in of_methods.items() for name, v in of.items()}
        )
        steps = np.linspace(0, 1, bits + 1)
        curves = {
            "empty_balls": 1 - steps,
            "radius_precision": steps / 2,
            "radius_recall": steps,
            "ranks": np.array([1, 3, 9]),
            "rank_precision": np.array([0.75, 0.5, 0.25]),
        }
        run.write_curves({f"{m.name}/{name}": curve for m in methods for name, curve in curves.items()})
        result = {m: {name: scores_of(v) for name, v in of.items()} for m, of in of_methods.items()}
        run.write_result(Result(record, result, conventions or {}, queries_without_relevant=0))
        run.write_page("<p>a run</p>")
        return run

    return write


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    return writer(tmp_path)


@pytest.fixture
def runs(tmp_path: Path) -> str:
    """Where ``write_run`` writes."""
    return str(tmp_path / "runs")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of three methods, two code lengths and two seeds; mine is best on each query. Tests must not change them."""
    folder = tmp_path_factory.mktemp("written")
    write_run = writer(folder)
    for seed in (0, 1):
        for bits in (16, 32):
            for method, level in (("mine", 0.6), ("other", 0.5), ("third", 0.4)):
                values = level + 0.01 * seed + 0.001 * bits + 0.02 * np.arange(QUERIES) * (method == "mine")
                write_run(method, seed, {METRIC: values, "NDCG@4": values / 2}, bits=bits)
    return folder / "runs"


@pytest.fixture
def study(written: Path, runs: str) -> Study:
    """A study of a copy of these runs."""
    shutil.copytree(written, runs)
    return collect([runs], Choice())


@pytest.fixture
def style() -> Style:
    return Style(digits=4, over="queries", level=0.05, reference="mine", test="t")
