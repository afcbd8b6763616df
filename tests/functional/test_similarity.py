import numpy as np
import pytest
import torch

from softhash.functional.similarity import SimilarityMatrix, similarity

LABELS = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("count", [[2, 1, 1, 0], [1, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]),
        ("share", [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]),
        ("cosine", [[1, 0.5**0.5, 0.5, 0], [0.5**0.5, 1, 0, 0], [0.5, 0, 1, 0], [0, 0, 0, 0]]),
        ("jaccard", [[1, 1 / 2, 1 / 3, 0], [1 / 2, 1, 0, 0], [1 / 3, 0, 1, 0], [0, 0, 0, 0]]),
    ],
)
def test_similarity_of_label_sets(kind: str, expected: list[list[float]]) -> None:
    torch.testing.assert_close(similarity(LABELS, LABELS, kind), torch.tensor(expected, dtype=torch.float32))


def test_an_unknown_kind_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="share, cosine, jaccard or count, got 'cosin'"):
        similarity(LABELS, LABELS, "cosin")


def test_a_matrix_says_how_similar_images_are_by_their_numbers() -> None:
    matrix = SimilarityMatrix(np.array([[1.0, 0.25, 0.5], [0.75, 1.0, 0.0], [0.5, 0.0, 1.0]]))

    found = similarity(torch.tensor([[2.0], [1.0]]), torch.tensor([[1.0], [3.0], [0.0]]), matrix)

    torch.testing.assert_close(found, torch.tensor([[0.75, 0.0, 0.0], [1.0, 0.5, 0.0]]))
    assert not similarity(torch.tensor([[0.0]]), torch.tensor([[1.0], [3.0]]), matrix).any()


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
        SimilarityMatrix(values, "given")


def test_the_digest_of_a_matrix_is_that_of_its_values() -> None:
    values = np.random.default_rng(0).random((300, 300), dtype=np.float32)
    other = values.copy()
    other[-1, -1] /= 2

    assert SimilarityMatrix(values).digest() == SimilarityMatrix(np.asfortranarray(values)).digest()
    assert SimilarityMatrix(values).digest() != SimilarityMatrix(other).digest()
