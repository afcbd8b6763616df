import pytest
import torch

from softhash.functional.similarity import similarity

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
