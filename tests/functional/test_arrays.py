import numpy as np
import pytest
import torch

from softhash.functional.arrays import as_tensor


def test_a_tensor_is_taken_as_it_is_and_an_array_shares_its_memory() -> None:
    tensor, array = torch.ones(2), np.ones(2)

    assert as_tensor(tensor, "codes") is tensor
    assert as_tensor(array, "codes").data_ptr() == array.ctypes.data


def test_other_byte_orders_and_directions_are_read() -> None:
    assert as_tensor(np.array([1, 2], dtype=">i4"), "codes").tolist() == [1, 2]
    assert as_tensor(np.arange(6).reshape(2, 3)[::-1, ::2], "codes").tolist() == [[3, 5], [0, 2]]


def test_numbers_that_torch_does_not_have_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="query_codes must be numbers that torch has, got an array of <U1"):
        as_tensor(np.array(["a"]), "query_codes")
