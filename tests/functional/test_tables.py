import pytest
import torch
from torch import Tensor

from softhash.functional.codes import pack, unpack
from softhash.functional.hamming import hamming_distance
from softhash.functional.tables import check_tables, look_up


def test_the_score_is_the_sum_of_what_the_table_has_for_each_byte() -> None:
    tables = torch.zeros(1, 2, 256)
    tables[0, 0, 7], tables[0, 1, 7], tables[0, 1, 9] = 1.0, 10.0, 100.0

    scores = look_up(tables, torch.tensor([[7, 7], [7, 9], [9, 9], [0, 0]], dtype=torch.uint8))

    assert scores.tolist() == [[11.0, 101.0, 100.0, 0.0]]


def test_tables_of_weighted_bits_give_inner_products_with_signs() -> None:
    rng = torch.Generator().manual_seed(0)
    weights, database = torch.randn(4, 16, generator=rng), pack(torch.randn(30, 16, generator=rng))
    bytes_ = unpack(torch.arange(256, dtype=torch.uint8)[:, None], 8).float() * 2 - 1
    tables = torch.einsum("qwb,nb->qwn", weights.reshape(4, 2, 8), bytes_)

    torch.testing.assert_close(look_up(tables, database).float(), weights @ (unpack(database, 16).float() * 2 - 1).T)


def test_tables_of_differing_bits_give_hamming_distances() -> None:
    rng = torch.Generator().manual_seed(1)
    query, database = (pack(torch.randn(n, 24, generator=rng)) for n in (3, 50))
    every = torch.arange(256, dtype=torch.uint8)[:, None]
    tables = torch.stack(
        [torch.stack([hamming_distance(byte[None, None], every)[0] for byte in code]) for code in query]
    )

    assert torch.equal(look_up(tables.float(), database).long(), hamming_distance(query, database))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (torch.zeros(3, 2, 255), r"tables must be \(Q, 2, 256\) real.*got \(3, 2, 255\) of torch.float32"),
        (torch.zeros(3, 1, 256), r"tables must be \(Q, 2, 256\)"),
        (torch.zeros(3, 2, 256, dtype=torch.uint8), "of torch.uint8"),
        (torch.full((3, 2, 256), torch.nan), "tables has 1536 NaN values"),
    ],
)
def test_tables_that_do_not_fit_the_codes_are_refused(tables: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_tables(tables, torch.zeros(5, 2, dtype=torch.uint8))
