import numpy as np
import pytest
import torch

from softhash.ranking.relevance import LabelRelevance, MatrixRelevance, Relevance, check_matrix, relevance_of

QUERY, DATABASE = torch.tensor([[1, 1, 0], [0, 0, 1]]), torch.tensor([[1, 1, 1], [0, 1, 0], [1, 0, 0]])
MATRIX = np.array([[1.0, 0.25, 0.5], [0.75, 1.0, 0.0], [0.5, 0.0, 1.0]])


def test_labels_give_the_number_that_is_shared() -> None:
    relevance = LabelRelevance(QUERY, DATABASE, ["a", "b", "c"])

    assert relevance.between(torch.tensor([1, 0]), torch.tensor([0, 2])).tolist() == [[1, 0], [2, 1]]
    assert relevance.shape == (2, 3)
    assert relevance.describe_query(0) == ["a", "b"]
    assert relevance.describe_item(1) == ["b"]


def test_a_matrix_gives_its_values_at_the_rows_of_both_sets() -> None:
    relevance = MatrixRelevance(MATRIX, np.array([1, 0]), np.array([0, 2]))

    assert relevance.between(torch.tensor([0, 1]), torch.tensor([1, 0])).tolist() == [[0.0, 0.75], [0.5, 1.0]]
    assert relevance.shape == (2, 2)
    assert relevance.describe_query(0) == relevance.describe_item(0) == []


@pytest.mark.parametrize(
    "relevance", [LabelRelevance(QUERY, DATABASE, ["a", "b", "c"]), MatrixRelevance(MATRIX, np.array([2, 0]))]
)
def test_what_was_stored_is_the_same_relevance(relevance: Relevance) -> None:
    restored = relevance_of(relevance.arrays())

    rows, items = (torch.arange(size) for size in relevance.shape)
    assert restored.between(rows, items).tolist() == relevance.between(rows, items).tolist()
    assert restored.digest() == relevance.digest()
    assert restored.class_names == relevance.class_names


@pytest.mark.parametrize(
    ("relevance", "expected"),
    [
        (LabelRelevance(torch.tensor([[1, 0]]), torch.tensor([[0, 1]])), False),
        (LabelRelevance(torch.tensor([[1, 0], [0, 1]]), torch.tensor([[0, 1]])), True),
        (MatrixRelevance(np.eye(300), np.arange(150), np.arange(150, 300)), False),
        (MatrixRelevance(np.eye(300), np.arange(151), np.arange(150, 300)), True),
    ],
)
def test_whether_anything_is_relevant(relevance: Relevance, expected: bool) -> None:
    assert relevance.any() is expected


@pytest.mark.parametrize(("query", "database"), [(QUERY[:, :2], DATABASE), (QUERY[:, :0], DATABASE[:, :0])])
def test_labels_of_different_classes_or_of_none_are_refused(query: torch.Tensor, database: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"query_labels has \d classes, database_labels \d"):
        LabelRelevance(query, database)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3)), r"given should be a square matrix, \(N, N\), and has shape \(2, 3\)"),
        (np.array([[1, 0.5], [1.5, 1]]), r"given should be in \[0, 1\]; image 1 has 1.5 with image 0"),
        (np.array([[1, np.nan], [0.5, 1]]), "image 0 has nan with image 1"),
    ],
)
def test_a_matrix_of_other_than_similarities_is_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_matrix(values, "given")


def test_the_digest_of_a_matrix_is_that_of_its_values() -> None:
    values = np.random.default_rng(0).random((300, 300), dtype=np.float32)
    other = values.copy()
    other[-1, -1] /= 2

    assert MatrixRelevance(values).digest() == MatrixRelevance(np.asfortranarray(values)).digest()
    assert MatrixRelevance(values).digest() != MatrixRelevance(other).digest()
