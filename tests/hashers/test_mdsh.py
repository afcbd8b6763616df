from types import SimpleNamespace

import pytest
import torch
from torch import nn

from softhash.backbones.base import Backbone
from softhash.hashers.encoder import Encoder
from softhash.hashers.mdsh import MDSHHasher
from softhash.losses.mdsh import MDSHLoss
from softhash.types import Batch


def ready(momentum: float = 0.75) -> MDSHHasher:
    backbone = Backbone(nn.Identity(), out_features=2, mean=[0], std=[1], frozen=False)
    encoder = Encoder(4, backbone, lambda in_features: nn.Linear(in_features, 4))
    hasher = MDSHHasher(
        momentum, name="mdsh", encoder=encoder, loss=MDSHLoss(), optimizer=torch.optim.Adam, scheduler=None
    )  # type: ignore[arg-type]
    hasher.loss.setup(SimpleNamespace(labels=torch.eye(3), bits=4, similarity=None))
    hasher.trainer = SimpleNamespace(is_last_batch=False)
    return hasher


def test_the_average_moves_a_share_of_the_way_to_the_network() -> None:
    hasher = ready()
    start = hasher.average.head.weight.clone()
    nn.init.ones_(hasher.encoder.head.weight)

    hasher.on_train_batch_end(None, None, 0)  # type: ignore[arg-type]

    torch.testing.assert_close(hasher.average.head.weight, 0.75 * start + 0.25)


def test_the_bank_remembers_codes_of_the_average() -> None:
    hasher = ready()
    nn.init.ones_(hasher.encoder.head.weight)
    batch = Batch(torch.tensor([[1.0, 2.0]]), torch.eye(3)[:1], torch.tensor([2]))

    terms = hasher.terms(batch)

    torch.testing.assert_close(hasher.loss.bank.relaxed[2:], hasher.average.head(batch.inputs).detach())
    assert hasher.loss.bank.relaxed[:2].eq(0).all()
    assert terms["center"].requires_grad


def test_the_average_is_not_trained() -> None:
    assert not any(parameter.requires_grad for parameter in ready().average.parameters())


def test_momentum_is_a_share() -> None:
    with pytest.raises(ValueError, match="momentum must be at least 0 and at most 1, got 2"):
        ready(momentum=2)
