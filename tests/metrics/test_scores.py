import pytest
import torch
from torchmetrics.retrieval import RetrievalMAP

from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.precision_within_radius import PrecisionWithinRadius
from softhash.metrics.scores import evaluate_scores, quantization_gap
from softhash.metrics.weighted_average_precision import WeightedAveragePrecision


def test_map_of_real_scores_is_that_of_torchmetrics() -> None:
    rng = torch.Generator().manual_seed(0)
    scores, relevance = torch.rand(40, 90, generator=rng) + 0.1, torch.rand(40, 90, generator=rng) < 0.3

    found = evaluate_scores([MeanAveragePrecision()], scores, relevance)["mAP"]

    indexes = torch.arange(40)[:, None].expand(-1, 90)
    expected = RetrievalMAP()(scores.flatten(), relevance.flatten(), indexes=indexes.flatten())
    assert found.expected == found.worst == found.best == pytest.approx(expected.item(), abs=1e-6)
    assert found.per_query.shape == (40,)


def test_codes_that_are_their_own_signs_lose_nothing() -> None:
    rng = torch.Generator().manual_seed(1)
    query, database = (torch.randn(n, 12, generator=rng).sign() for n in (10, 60))
    query_labels, database_labels = ((torch.rand(n, 4, generator=rng) < 0.4).to(torch.uint8) for n in (10, 60))

    gap = quantization_gap(
        [MeanAveragePrecision(), WeightedAveragePrecision(30)], query, query_labels, database, database_labels
    )

    for relaxed, binary in gap.values():
        assert relaxed == pytest.approx(binary, abs=1e-12)


def test_signs_lose_what_only_the_sizes_tell() -> None:
    query, labels = torch.tensor([[1.0, 1.0]]), torch.tensor([[1], [0]], dtype=torch.uint8)
    database = torch.tensor([[3.0, 3.0], [0.1, 0.1]])  # the same bits, the relevant one with larger values

    gap = quantization_gap([MeanAveragePrecision()], query, labels[:1], database, labels)

    assert gap == {"mAP": (1.0, 0.75)}


def test_a_hamming_radius_needs_codes() -> None:
    with pytest.raises(ValueError, match="P@H<=2 needs Hamming distances of codes, not scores"):
        evaluate_scores([PrecisionWithinRadius(2)], torch.rand(2, 5), torch.ones(2, 5))
