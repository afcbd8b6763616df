import numpy as np
import pytest
import torch

from softhash.functional.codes import pack
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance
from softhash.report.figures.quantization import FIGURE, sampled_gap
from softhash.runs.folder import Run
from softhash.types import Codes


def average_precision(scores: np.ndarray, hits: np.ndarray) -> float:
    """Of one query without ties."""
    ranked = hits[np.argsort(-scores)]
    return sum(ranked[: rank + 1].mean() for rank in range(len(ranked)) if ranked[rank]) / max(1, ranked.sum())


def test_part_of_the_kept_images_are_queries_among_the_others() -> None:
    rng = np.random.default_rng(0)
    relaxed = rng.standard_normal((12, 16)).astype(np.float32)
    rows = torch.arange(12) * 3
    labels = torch.from_numpy(rng.integers(2, size=(40, 2), dtype=np.uint8))
    codes = Codes(torch.empty(0, 2), torch.empty(40, 2), 16, torch.from_numpy(relaxed), rows)

    gap = sampled_gap(codes, labels)

    queries, items, own = range(0, 12, 2), list(range(1, 12, 2)), labels[rows].numpy()
    expected = [average_precision(relaxed[items] @ relaxed[q], own[items] @ own[q] > 0) for q in queries]
    assert list(gap) == ["mAP", "NDCG@6", "P@6"]
    assert gap["mAP"][0] == pytest.approx(np.mean(expected), abs=1e-6)
    assert gap["P@6"][0] == gap["P@6"][1]  # all that there are


def test_signs_that_lose_what_only_sizes_tell_are_below_relaxed_codes(run: Run) -> None:
    relaxed = torch.ones(60, 8) * torch.tensor([3.0, 3.0, 0.1, 0.1]).repeat(15)[:, None]  # by label, the first larger
    items = torch.tensor([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=torch.uint8).repeat(15, 1)
    run.write_relevance(LabelRelevance(torch.ones(20, 2, dtype=torch.uint8), items, ["a", "b"]), *run.ids())
    run.write_codes("mine", run.codes("mine")._replace(database=pack(relaxed), relaxed=relaxed))

    rows = {(method, metric): values for method, metric, *values in FIGURE.draw(run).rows}

    relaxed_map, signs_map = rows["mine", "mAP"]
    assert set(rows) == {("mine", "mAP"), ("mine", "NDCG@30"), ("mine", "P@30")}
    assert signs_map == pytest.approx(0.548, abs=0.01)  # random order of 15 in 30
    # Queries of label a rank its 15 images first, 1; those of label b rank theirs last.
    last = np.mean([hit / (15 + hit) for hit in range(1, 16)])
    assert relaxed_map == pytest.approx((1 + last) / 2)


def test_codes_that_are_no_signs_have_no_gap(run: Run) -> None:
    codes = run.codes("mine")
    run.write_codes("mine", codes._replace(relaxed=-codes.relaxed))

    assert FIGURE.draw(run) == "no codes are the signs of relaxed ones, or there are too few of them"


def test_similarities_of_queries_say_nothing_of_pairs_of_the_database(run: Run) -> None:
    run.write_relevance(MatrixRelevance(np.eye(20, 60)), *run.ids())

    assert FIGURE.draw(run) == "there are similarities in place of labels"
