from functools import partial

import pytest
import torch
from torch import nn

from softhash.backbones.small_cnn import SmallCNN
from softhash.functional.codes import pack
from softhash.hashers.encoder import Encoder


def encoder(bits: int = 12) -> Encoder:
    return Encoder(bits, SmallCNN(channels=1, width=4, frozen=False), partial(nn.Linear, out_features=bits)).eval()


def test_images_become_packed_signs_of_the_head() -> None:
    model, images = encoder(), torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)

    codes = model(images)

    relaxed = model.head(model.backbone(images)).detach()
    assert torch.equal(codes.query, pack(relaxed))
    assert torch.equal(codes.database, codes.query)
    torch.testing.assert_close(codes.relaxed, relaxed, rtol=0, atol=0)
    assert codes.bits == 12


def test_cached_features_give_the_codes_of_their_images() -> None:
    model, images = encoder(), torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)

    assert torch.equal(model(model.features(images)).query, model(images).query)


def test_state_of_an_encoder_is_all_that_codes_need() -> None:
    model, other = encoder(), encoder()
    images = torch.randint(256, (5, 1, 16, 16), dtype=torch.uint8)

    other.load_state_dict(model.state_dict())

    torch.testing.assert_close(other(images).relaxed, model(images).relaxed, rtol=0, atol=0)


def test_bits_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="bits must be at least 1, got 0"):
        encoder(bits=0)
