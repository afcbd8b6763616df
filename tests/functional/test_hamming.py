import torch

from softhash.functional.codes import pack, unpack
from softhash.functional.hamming import hamming_distance


def test_the_distance_is_the_number_of_bits_that_differ() -> None:
    rng = torch.Generator().manual_seed(0)
    query, database = (torch.randn(n, 77, generator=rng) > 0 for n in (5, 9))

    distances = hamming_distance(pack(query.float()), pack(database.float()))

    assert torch.equal(distances, (query[:, None] != database[None]).sum(2))
    assert torch.equal(unpack(pack(query.float()), 77), query)
