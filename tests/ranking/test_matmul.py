import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from softhash.functional.codes import pack
from softhash.ranking.counts import tally
from softhash.ranking.matmul import count_by_matmul


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 99),
    bits=st.sampled_from([1, 7, 8, 12, 33, 64, 65, 100, 1024]),
    classes=st.sampled_from([1, 5, 64, 80]),
)
def test_the_matrix_product_counts_like_the_kernel(seed: int, bits: int, classes: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    query, database = (pack(torch.randn(count, bits, generator=rng)) for count in (4, 30))
    labels = [(torch.rand(count, classes, generator=rng) < 0.3).to(torch.uint8) for count in (4, 30)]

    counts = count_by_matmul(query, database, *labels, bits, classes + 1)

    expected = tally(query, database, *labels, bits)
    assert torch.equal(counts[:, :, : expected.shape[2]], expected)
    assert not counts[:, :, expected.shape[2] :].any()


def test_parts_of_the_database_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = torch.Generator().manual_seed(0)
    codes, labels = pack(torch.randn(50, 16, generator=rng)), (torch.rand(50, 4, generator=rng) < 0.5).to(torch.uint8)
    whole = count_by_matmul(codes[:3], codes, labels[:3], labels, 16, 5)
    monkeypatch.setattr("softhash.ranking.matmul._PAIRS", 3 * 7)

    assert torch.equal(count_by_matmul(codes[:3], codes, labels[:3], labels, 16, 5), whole)
