from functools import partial
from itertools import product

import pytest
import torch
from torch import nn

from softhash.backbones.small_cnn import SmallCNN
from softhash.functional.codes import unpack
from softhash.hashers.drsch import WeightedEncoder, weighted_tables


def encoder(bits: int = 12) -> WeightedEncoder:
    head = partial(nn.Linear, out_features=bits)
    return WeightedEncoder(bits, SmallCNN(channels=1, width=4, frozen=False), head).eval()


def test_tables_give_the_weighted_hamming_distance() -> None:
    rng = torch.Generator().manual_seed(0)
    queries, items = (torch.randint(256, (count, 2), generator=rng, dtype=torch.uint8) for count in (3, 5))
    queries[:, 1] &= 15
    items[:, 1] &= 15
    weights = torch.rand(12, generator=rng)

    tables = weighted_tables(queries, weights)

    for q, n in product(range(3), range(5)):
        score = sum(tables[q, byte, items[n, byte].long()] for byte in range(2))
        differ = unpack(queries[q : q + 1], 12)[0] != unpack(items[n : n + 1], 12)[0]
        assert score == pytest.approx(-weights[differ].sum().item(), abs=1e-6)  # type: ignore[comparison-overlap]


def test_relaxed_codes_are_weighted_sigmoids_whose_signs_are_the_bits() -> None:
    model, images = encoder(), torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)
    model.weight.data[:] = torch.linspace(0.5, 2, 12)

    codes = model(images)

    z = model.head(model.backbone(images)).detach()
    torch.testing.assert_close(codes.relaxed, torch.linspace(0.5, 2, 12) * (z.sigmoid() - 0.5))
    assert torch.equal(unpack(codes.database, 12), z > 0)
    assert torch.equal(codes.query, weighted_tables(codes.database, model.weight.detach().square()))
    assert codes.bits == 12


def test_a_weight_below_zero_changes_no_distance() -> None:
    model, other = encoder(), encoder()
    other.load_state_dict(model.state_dict())
    other.weight.data[3] = -1
    images = torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)

    first, second = (
        torch.stack([codes.query[:, byte][:, codes.database[:, byte].long()] for byte in range(2)]).sum(0)
        for codes in (model(images), other(images))
    )

    torch.testing.assert_close(first, second)
