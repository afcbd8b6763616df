from functools import partial

import pytest
import torch
from torch import nn

from softhash.hashers.dqn import DQNHasher, QuantizingEncoder
from softhash.losses.dqn import DQNLoss


class Backbone(nn.Identity):
    out_features = 3
    frozen = False


def head(in_features: int, bits: int) -> nn.Module:
    return nn.Linear(in_features, bits)


def test_a_query_is_a_table_and_an_item_a_byte_for_each_codebook() -> None:
    encoder = QuantizingEncoder(16, Backbone(), partial(head, bits=16), dimensions=6)

    codes = encoder(torch.randn(5, 3))

    assert (codes.query.shape, codes.query.dtype) == ((5, 2, 256), torch.float32)
    assert (codes.database.shape, codes.database.dtype) == ((5, 2), torch.uint8)
    assert (codes.bits, codes.relaxed.shape) == (16, (5, 6))


def test_the_loss_fits_the_codebooks_of_the_encoder() -> None:
    encoder, loss = QuantizingEncoder(16, Backbone(), head, dimensions=6), DQNLoss()

    hasher = DQNHasher(name="dqn", encoder=encoder, loss=loss, optimizer=torch.optim.SGD, scheduler=None)

    assert hasher.loss.quantizer is hasher.encoder.quantizer


@pytest.mark.parametrize(
    ("bits", "dimensions", "message"),
    [(12, 300, "multiple of 8, got 12"), (32, 3, "at least one per codebook, 4, got 3")],
)
def test_bits_that_do_not_fit_are_refused(bits: int, dimensions: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuantizingEncoder(bits, Backbone(), head, dimensions)
