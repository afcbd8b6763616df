import numpy as np
import pytest

from softhash.data.tags import check_tags, multi_hot


def test_rare_words_are_no_tags_and_images_may_have_none() -> None:
    tags = multi_hot([{"sky", "sea"}, {"sea", "zoo"}, set(), {"sea", "sky"}], at_least=2)

    assert tags.tolist() == [[1, 1], [1, 0], [0, 0], [1, 1]]  # sea, sky
    assert multi_hot([set(), set()], at_least=1).shape == (2, 0)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (np.zeros(3), r"should be a matrix \(N, T\) with a line for each image, and has shape \(3,\)"),
        (np.zeros((3, 0)), r".* has shape \(3, 0\)"),
        (np.zeros((2, 4)), "is of 2 images, the data set has 3"),
        (np.full((3, 4), "sky"), "is of <U3; tags should be real numbers, such as 0 and 1"),
        (np.array([[0.0], [np.inf], [np.nan]]), "has values that are not finite, first for image 1"),
    ],
)
def test_what_are_no_tags_of_the_images_is_refused(tags: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"data.tags='x.npy' {message}"):
        check_tags(tags, 3, "data.tags='x.npy'")
