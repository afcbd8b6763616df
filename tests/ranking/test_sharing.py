import threading

import pytest
import torch
from torch import Tensor

from softhash.ranking.sharing import once, sharing


class Counted:
    """A function that is computed once, and how often it was."""

    def __init__(self) -> None:
        self.calls = 0
        self.total = once(self._total)

    def _total(self, values: Tensor, scale: int = 1) -> Tensor:
        self.calls += 1
        return values.sum() * scale


def test_the_same_tensor_and_values_are_computed_once_inside() -> None:
    counted, values = Counted(), torch.ones(3)

    with sharing():
        assert counted.total(values) is counted.total(values)
        assert counted.total(values, scale=2) == 6
        assert counted.total(torch.ones(3)) == 3  # another tensor, though equal

    assert counted.calls == 3


def test_nothing_is_remembered_outside_or_from_one_time_to_the_next() -> None:
    counted, values = Counted(), torch.ones(3)

    counted.total(values)
    with sharing():
        counted.total(values)
    values += 1
    with sharing():
        assert counted.total(values) == 6
    counted.total(values)

    assert counted.calls == 4


def test_an_error_ends_the_sharing() -> None:
    counted, values = Counted(), torch.ones(3)

    with pytest.raises(KeyError), sharing():
        counted.total(values)
        raise KeyError
    counted.total(values)

    assert counted.calls == 2


def test_another_thread_does_not_share() -> None:
    counted, values = Counted(), torch.ones(3)

    with sharing():
        counted.total(values)
        other = threading.Thread(target=counted.total, args=(values,))
        other.start()
        other.join()

    assert counted.calls == 2
