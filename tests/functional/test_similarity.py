import pytest
import torch

from softhash.functional.similarity import Similarity, check_bounded, cosine, count, jaccard, share

LABELS = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]])


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        (count, [[2, 1, 1, 0], [1, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]]),
        (share, [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]),
        (cosine, [[1, 0.5**0.5, 0.5, 0], [0.5**0.5, 1, 0, 0], [0.5, 0, 1, 0], [0, 0, 0, 0]]),
        (jaccard, [[1, 1 / 2, 1 / 3, 0], [1 / 2, 1, 0, 0], [1 / 3, 0, 1, 0], [0, 0, 0, 0]]),
    ],
)
def test_similarity_of_label_sets(similarity: Similarity, expected: list[list[float]]) -> None:
    torch.testing.assert_close(similarity(LABELS, LABELS), torch.tensor(expected, dtype=torch.float32))


def test_a_similarity_above_one_is_refused_by_its_name() -> None:
    check_bounded(cosine, "SomeLoss")
    with pytest.raises(ValueError, match=r"similarity=count is 2 for two images .*; SomeLoss needs similarities in"):
        check_bounded(count, "SomeLoss")
