"""Tags: words that people have given to images, as a second description of these."""

import numpy as np
from numpy.typing import NDArray

_ROWS = 8192  # looked at together


def check_tags(tags: NDArray[np.generic], count: int, name: str) -> None:
    """Refuse what does not say of each image how often it has each tag, or describes it by other real values.

    Args:
        tags: Should be ``(count, T)``.
        count: Number of images of the data set.
        name: What set them, for messages.

    Raises:
        ValueError: They are of another number of images, no matrix, or not real and finite; says which.
    """
    if tags.ndim != 2 or not tags.shape[1]:
        msg = f"{name} should be a matrix (N, T) with a line for each image, and has shape {tags.shape}"
        raise ValueError(msg)
    if len(tags) != count:
        msg = f"{name} is of {len(tags)} images, the data set has {count}"
        raise ValueError(msg)
    if tags.dtype.kind not in "fiub":
        msg = f"{name} is of {tags.dtype}; tags should be real numbers, such as 0 and 1"
        raise ValueError(msg)
    for start in range(0, count, _ROWS):
        finite = np.isfinite(tags[start : start + _ROWS].astype(np.float32)).all(1)
        if not finite.all():
            msg = f"{name} has values that are not finite, first for image {start + int(np.argmin(finite))}"
            raise ValueError(msg)


def multi_hot(words: list[set[str]], at_least: int) -> NDArray[np.uint8]:
    """Which image has which word, of those that are frequent.

    Args:
        words: Those of each of N images.
        at_least: In how many images a word must occur.

    Returns:
        ``(N, T)`` 0 or 1; words are in alphabetical order.

    Example:
        >>> multi_hot([{"sky", "blue"}, {"sky"}, set()], at_least=2).tolist()
        [[1], [1], [0]]
    """
    found, counts = np.unique([word for image in words for word in image], return_counts=True)
    column_of = {word: column for column, word in enumerate(found[counts >= at_least].tolist())}
    tags = np.zeros((len(words), len(column_of)), dtype=np.uint8)
    for place, image in enumerate(words):
        tags[place, [column_of[word] for word in image if word in column_of]] = 1
    return tags
