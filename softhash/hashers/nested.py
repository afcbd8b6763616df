"""Nested hash layer: one training for codes of several lengths."""

import copy
import inspect
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.functional.codes import pack
from softhash.functional.distributed import gather_batch
from softhash.hashers.deep import DeepHasher
from softhash.hashers.encoder import Encoder
from softhash.types import Batch, Codes, TrainingSet


class NestedHasher(DeepHasher):
    r"""A code of a shorter length is the first bits of the longest one; each length has a loss of its own.

    The losses of all lengths are summed with weights that protect the shorter ones. Let :math:`g_k` be the gradient of
    loss k with respect to the weights of the last linear layer. Where a longer length c pulls against a shorter one a
    in the rows that they share, by more than the :math:`\beta \lVert g_a \rVert^2 / (n - 1)` that each of the n - 1
    others is allowed, the weight of c is reduced to that. Besides, each length learns the cosines between the rows of
    the Gram matrix of the next longer one.

    The methods are called ``NAME-LENGTH``, the longest first, which selects the model.

    Source: He et al., arXiv:2412.08922; authors' code.
    Differs: a longer length never has more weight with regard to a than a shorter one that is longer than a, in their
    code no more than the next longer one; the size of :math:`g_a` is that of its own gradient, in their code always
    that of the shortest length; with several processes the gradients are averaged.

    Args:
        name: Name of the method that is trained, such as ``csq``.
        encoder: Images to the longest codes; its head has a linear layer with one output per bit.
        loss: Loss of the method; each length gets a copy.
        lengths: Shorter code lengths, ascending and all below that of the encoder.
        beta: How much a longer length may undo of the progress of a shorter one; 0 silences it.
        distillation_weight: Weight of what each length learns from the next longer one.
        **options: Those of :class:`softhash.hashers.deep.DeepHasher`.

    Raises:
        ValueError: The lengths are not ascending and below that of the encoder, a weight is negative, or the head has
            no linear layer with one output per bit.
    """

    loss: "NestedLoss"

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        loss: nn.Module,
        lengths: Sequence[int],
        beta: float = 1.0,
        distillation_weight: float = 0.1,
        **options: Any,
    ) -> None:
        every = [*lengths, encoder.bits]
        if not lengths or lengths[0] < 1 or any(short >= long for short, long in pairwise(every)):
            msg = f"hasher.lengths must be ascending and below bits={encoder.bits}, got {list(lengths)}"
            raise ValueError(msg)
        check_at_least(0, beta=beta, distillation_weight=distillation_weight)
        super().__init__(name=name, encoder=encoder, loss=NestedLoss(loss, every, distillation_weight), **options)
        self.lengths, self.beta = every, beta
        layers = [module for module in encoder.head.modules() if isinstance(module, nn.Linear)]
        if not layers or layers[-1].out_features != encoder.bits:
            msg = f"hasher=nested needs a head that ends in a linear layer with {encoder.bits} outputs, one per bit"
            raise ValueError(msg)

    @property
    def methods(self) -> list[str]:
        """One per length, the longest first."""
        return [f"{self.name}-{length}" for length in reversed(self.lengths)]

    def codes(self, batch: Batch, split: str) -> dict[str, Codes]:
        """The first bits of the longest codes, by method."""
        relaxed = self.encoder(batch.inputs).relaxed
        prefixes = [relaxed[:, :length] for length in reversed(self.lengths)]
        packed = [pack(prefix) for prefix in prefixes]
        return {
            method: Codes(codes, codes, prefix.shape[1], prefix)
            for method, codes, prefix in zip(self.methods, packed, prefixes, strict=True)
        }

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Terms of all lengths, ``TERM-LENGTH``, each times the weight of its length."""
        terms = super().terms(batch)
        of_length = {term: int(term.rpartition("-")[2]) for term in terms}
        layer = [module for module in self.encoder.head.modules() if isinstance(module, nn.Linear)][-1]
        gradients = []
        for length in self.lengths:
            total = torch.stack([value for term, value in terms.items() if of_length[term] == length]).sum()
            (gradient,) = torch.autograd.grad(total, layer.weight, retain_graph=True)
            gradients.append(gather_batch(gradient[None])[0].mean(0).float())
        weights = dict(zip(self.lengths, dominance_weights(gradients, self.lengths, self.beta), strict=True))
        return {term: weights[of_length[term]] * value for term, value in terms.items()}

    def _hooks(self, name: str) -> list[Callable[..., None]]:
        """Hooks of the loss of a length see the training set with codes of that length."""
        nested = zip(self.lengths, self.loss.losses, strict=True)
        owners = {id(part): length for length, loss in nested for part in loss.modules()}
        return [
            _shortened(hook, owners[id(owner)]) if id(owner := hook.__self__) in owners else hook  # type: ignore[attr-defined]
            for hook in super()._hooks(name)
        ]


class NestedLoss(nn.Module):
    """A loss for each code length, on the first outputs of one head.

    Args:
        loss: Copied for each length.
        lengths: Ascending.
        distillation_weight: Weight of what each length but the longest learns from the next longer one.
    """

    def __init__(self, loss: nn.Module, lengths: Sequence[int], distillation_weight: float) -> None:
        super().__init__()
        self.losses = nn.ModuleList(copy.deepcopy(loss) for _ in lengths)
        self.lengths, self.distillation_weight = list(lengths), distillation_weight
        for name in ("views", "learns_from", "sample"):
            if hasattr(loss, name):
                setattr(self, name, getattr(self.losses[-1], name))
        self._wants_features = "features" in inspect.signature(loss.forward).parameters

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Optimiser groups of all lengths."""
        groups: list[dict[str, Any]] = []
        for loss in self.losses:
            own = getattr(loss, "param_groups", None)
            groups += own(lr) if own else [{"params": list(loss.parameters()), "lr": lr}]
        return groups

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor, features: Tensor) -> dict[str, Tensor]:
        """Compute the terms of all lengths, ``TERM-LENGTH``, and ``distillation-LENGTH`` of all but the longest."""
        further = {"features": features} if self._wants_features else {}
        terms: dict[str, Tensor] = {}
        for length, loss in zip(self.lengths, self.losses, strict=True):
            own = loss(relaxed[:, :length], labels, rows, **further)
            terms |= {f"{name}-{length}": value for name, value in own.items()}
        for short, long in pairwise(self.lengths):
            gap = distillation(relaxed[:, :short], relaxed[:, :long])
            terms[f"distillation-{short}"] = self.distillation_weight * gap
        return terms


class _Prefix:
    """The training set, with the first bits of its codes."""

    def __init__(self, train: TrainingSet, bits: int) -> None:
        self._train, self.bits = train, bits
        self.labels, self.similarity = train.labels, train.similarity

    def encode(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features ``(n, D)`` and relaxed codes ``(n, bits)``."""
        features, relaxed = self._train.encode(rows)
        return features, relaxed[:, : self.bits]


def _shortened(hook: Callable[..., None], bits: int) -> Callable[..., None]:
    """The hook, which is called with numbers and maybe the training set, whose codes then have that many bits."""
    return lambda *given: hook(*(value if isinstance(value, int) else _Prefix(value, bits) for value in given))


def distillation(short: Tensor, long: Tensor) -> Tensor:
    r"""Squared distance of the cosines between rows of Gram matrices, :math:`\lVert \bar G - \bar H \rVert_F^2 / B^2`.

    Args:
        short: ``(B, K)`` codes that learn; G is their Gram matrix, with rows of unit length.
        long: ``(B, L)`` codes to learn from, constants for autograd; H is theirs.
    """
    taught = long.detach()
    return (F.normalize(short @ short.T) - F.normalize(taught @ taught.T)).square().mean()


def dominance_weights(gradients: Sequence[Tensor], lengths: Sequence[int], beta: float) -> list[float]:
    """Weights of code lengths, whose sum is their number; see :class:`NestedHasher`.

    Args:
        gradients: One ``(K, D)`` per length, of a layer with a row per bit.
        lengths: Ascending.
        beta: How much a longer length may undo of the progress of a shorter one.
    """
    weights = [1.0] * len(lengths)
    for a, length in enumerate(lengths[:-1]):
        own = gradients[a][:length]
        allowed = beta * float(own.square().sum()) / (len(lengths) - 1)
        share = 1.0
        for c in range(a + 1, len(lengths)):
            conflict = -float((own * gradients[c][:length]).sum())
            if conflict > allowed:
                share = min(share, allowed / conflict)
            weights[c] *= share
    return [weight * len(weights) / sum(weights) for weight in weights]
