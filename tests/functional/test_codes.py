import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softhash.functional.codes import check_codes, pack, unpack


@given(seed=st.integers(0, 99), bits=st.integers(1, 130))
def test_unpacking_undoes_packing(seed: int, bits: int) -> None:
    relaxed = torch.randn(3, bits, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(unpack(pack(relaxed), bits), relaxed > 0)


def test_zero_and_minus_zero_and_nan_are_a_zero_bit() -> None:
    assert pack(torch.tensor([[0.0, -0.0, float("nan"), 1e-30]])).tolist() == [[8]]


def test_bit_order_is_that_of_numpy_and_faiss() -> None:
    relaxed = torch.randn(5, 20)

    np.testing.assert_array_equal(pack(relaxed), np.packbits(relaxed.numpy() > 0, axis=1, bitorder="little"))


def test_what_is_not_two_dimensional_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(N, K\), got shape \(4,\)"):
        pack(torch.ones(4))


def test_good_codes_pass() -> None:
    check_codes(pack(torch.randn(4, 12)), 12, "query_codes")


@pytest.mark.parametrize("bits", [0, -8])
def test_codes_of_no_bit_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=f"bits must be at least 1, got {bits}"):
        check_codes(torch.zeros(4, 0, dtype=torch.uint8), bits, "query_codes")
