from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Make = Callable[..., Any]


def test_cifar10_is_read_from_its_batches(tmp_path: Path, layout: Make, cifar10: Make) -> None:
    pictures, targets = layout("cifar10").write_cifar10(tmp_path)

    data = cifar10(tmp_path)
    data.setup()

    for split in data.sets.values():
        for row, name in enumerate(split.ids.tolist()):
            part, number = name.split("-")
            expected = pictures[part][int(number)]
            np.testing.assert_array_equal(split.image(row), expected)
            assert split.labels[row].argmax() == targets[part][int(number)]


def test_cifar10_that_is_not_there_is_explained(tmp_path: Path, cifar10: Make) -> None:
    with pytest.raises(FileNotFoundError, match=r"no complete cifar-10-batches-py\.\n  Unpack cifar-10-python"):
        cifar10(tmp_path).setup()
