from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from softhash.functional.codes import unpack
from softhash.hashers.encoder import Encoder
from softhash.hashers.nested import NestedHasher, distillation, dominance_weights
from softhash.losses.csq import CSQLoss
from softhash.losses.dpsh import DPSHLoss
from softhash.types import Batch

U = torch.tensor(
    [[0.9, -0.4, 0.2, 0.7], [0.6, -0.8, -0.1, 0.5], [-0.5, 0.7, -0.9, 0.3], [0.4, -0.2, 0.8, 0.6]], dtype=torch.float64
)


class Backbone(nn.Identity):
    out_features = 3
    frozen = False


def hasher(loss: nn.Module, **options: Any) -> NestedHasher:
    torch.manual_seed(0)
    encoder = Encoder(12, Backbone(), partial(nn.Linear, out_features=12))
    given = {"lengths": [4, 8], "optimizer": partial(torch.optim.SGD, lr=0.1), "scheduler": None} | options
    return NestedHasher(name="toy", encoder=encoder, loss=loss, **given)


def begun(loss: nn.Module, **options: Any) -> NestedHasher:
    """A hasher whose losses have seen six training images."""
    model = hasher(loss, **options)
    train = SimpleNamespace(labels=torch.eye(6, dtype=torch.uint8), bits=12, similarity=None)
    for hook in model._hooks("setup"):
        hook(SimpleNamespace(**vars(train), encode=None))
    return model


def batch() -> Batch:
    rng = torch.Generator().manual_seed(0)
    return Batch(torch.randn(6, 3, generator=rng), torch.eye(6, dtype=torch.uint8), torch.arange(6))


def test_value_and_gradient_of_distillation_are_those_of_the_authors_code() -> None:
    short = U[:, :2].clone().requires_grad_()

    value = distillation(short, U)
    (gradient,) = torch.autograd.grad(value, short)

    assert value.item() == pytest.approx(0.033285, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.003027, -0.006361], abs=1e-6)


def test_lengths_that_agree_have_equal_weights() -> None:
    gradients = [torch.tensor([[1.0], [0], [0]]), torch.tensor([[0.5], [1], [0]]), torch.tensor([[0.0], [0], [3]])]

    assert dominance_weights(gradients, [1, 2, 3], beta=1.0) == [1, 1, 1]


def test_a_longer_length_that_undoes_a_shorter_one_is_reduced_to_what_is_allowed() -> None:
    gradients = [torch.tensor([[1.0], [0]]), torch.tensor([[-4.0], [1]])]

    weights = dominance_weights(gradients, [1, 2], beta=1.0)

    # allowed 1, conflict 4: alpha = 1/4; 1 and 1/4 scaled to a sum of 2
    assert weights == pytest.approx([1.6, 0.4])


def test_reductions_multiply_and_never_grow_with_the_length() -> None:
    gradients = [torch.tensor([[2.0], [0], [0]]), torch.tensor([[-2.0], [1], [0]]), torch.tensor([[-1.0], [-2], [1]])]

    weights = dominance_weights(gradients, [1, 2, 3], beta=1.0)

    # Length 1 allows 4 / 2 = 2 and meets 4 and 2: 1/2, and 1/2 because it never grows.
    # Length 2 allows 5 / 2 and meets -(2 - 2) = 0: 1. So 1, 1/2, 1/2, scaled to a sum of 3.
    assert weights == pytest.approx([1.5, 0.75, 0.75])


def test_each_length_has_a_loss_of_its_own_on_the_first_outputs() -> None:
    model = begun(DPSHLoss(), distillation_weight=0.0)

    terms = model.terms(batch())

    relaxed = model(batch().inputs)
    unweighted = {}
    for length in (4, 8, 12):
        loss = DPSHLoss()
        loss.setup(SimpleNamespace(labels=torch.eye(6), bits=length, similarity=None))  # type: ignore[arg-type]
        unweighted[length] = loss(relaxed[:, :length], torch.eye(6), torch.arange(6))
    weights = [(terms[f"pair-{length}"] / unweighted[length]["pair"]).item() for length in (4, 8, 12)]
    assert sum(weights) == pytest.approx(3, rel=1e-5)
    for length, weight in zip((4, 8, 12), weights, strict=True):
        torch.testing.assert_close(terms[f"quantization-{length}"], weight * unweighted[length]["quantization"])


def test_a_loss_with_a_memory_bank_can_be_learnt_from_after_its_weights_are_known() -> None:
    model = begun(DPSHLoss())

    sum(model.terms(batch()).values()).backward()  # type: ignore[union-attr]

    assert model.encoder.head.weight.grad.abs().sum() > 0  # type: ignore[union-attr]
    assert [loss.bank.relaxed.shape[1] for loss in model.loss.losses] == [4, 8, 12]  # type: ignore[union-attr]


def test_hooks_of_a_loss_see_codes_of_its_length() -> None:
    seen: list[tuple[int, int]] = []

    class Watcher(nn.Module):
        def on_epoch_end(self, epoch: int, train: Any) -> None:
            seen.append((train.bits, train.encode()[1].shape[1]))

        def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
            return {"size": relaxed.square().mean()}

    train = SimpleNamespace(
        labels=None, bits=12, similarity=None, encode=lambda _: (torch.ones(5, 3), torch.ones(5, 12))
    )
    for hook in hasher(Watcher())._hooks("on_epoch_end"):
        hook(0, train)

    assert seen == [(4, 4), (8, 8), (12, 12)]


def test_codes_are_prefixes_of_the_longest_and_have_their_own_name_and_length() -> None:
    model = hasher(CSQLoss())

    codes = model.codes(batch(), "query")

    whole = unpack(codes["toy-12"].database, 12)
    assert list(codes) == model.methods == ["toy-12", "toy-8", "toy-4"]
    for length in (4, 8):
        assert codes[f"toy-{length}"].bits == length
        assert torch.equal(unpack(codes[f"toy-{length}"].database, length), whole[:, :length])


def test_state_of_all_lengths_survives_a_checkpoint() -> None:
    model, restored = begun(CSQLoss(seed=1)), begun(CSQLoss(seed=2))

    restored.load_state_dict(model.state_dict())

    for first, second in zip(model.loss.losses, restored.loss.losses, strict=True):
        assert torch.equal(first.centers, second.centers)  # type: ignore[arg-type]


@pytest.mark.parametrize("lengths", [[], [8, 4], [4, 4], [4, 12], [0, 4]])
def test_lengths_that_are_no_prefixes_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match=r"hasher\.lengths must be ascending and below bits=12"):
        hasher(CSQLoss(), lengths=lengths)


def test_a_head_without_an_output_per_bit_is_refused() -> None:
    encoder = Encoder(12, Backbone(), lambda in_features: nn.Linear(in_features, 5))

    with pytest.raises(ValueError, match="linear layer with 12 outputs"):
        NestedHasher(name="toy", encoder=encoder, loss=CSQLoss(), lengths=[4], optimizer=None, scheduler=None)
