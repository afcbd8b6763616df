import torch

from softhash.ranking.breakdown import by_label, by_number_of_labels

LABELS = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]])
VALUES = torch.tensor([0.5, 1.0, 0.0, torch.nan])


def test_queries_are_grouped_by_how_many_labels_they_have() -> None:
    numbers, queries, means = by_number_of_labels(VALUES, LABELS)

    assert numbers.tolist() == [1, 2]
    assert queries.tolist() == [2, 2]
    assert means.tolist() == [0.5, 0.5]  # the query without a value is left out


def test_a_query_counts_for_each_of_its_labels() -> None:
    queries, means = by_label(VALUES, LABELS)

    assert queries.tolist() == [2, 2, 1, 1]
    assert means[:2].tolist() == [0.75, 0.25]
    assert means[2:].isnan().all()
