"""Speed and memory of losses that compare a batch with codes of the whole training set.

``python -m benchmarks.losses`` prints a Markdown table. The peer has the formula over whole ``(B, N)`` matrices, as
DeepHash-pytorch does. Both sides run one after the other in each round, on one thread; ratios are medians.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from benchmarks.memory import extra_memory
from softhash.losses.dpsh import DPSHLoss
from softhash.losses.idhn import IDHNLoss
from softhash.types import TrainingSet

_ROWS, _BATCH, _BITS, _CLASSES, _LABELS, _ROUNDS = 100_000, 128, 48, 81, 2.4, 7  # the size of NUS-WIDE-81
_LOSSES: dict[str, Callable[[], DPSHLoss | IDHNLoss]] = {"idhn": lambda: IDHNLoss("dhp"), "dpsh": DPSHLoss}

Way = Callable[[Tensor, Tensor, Tensor], Tensor]


class _Training:
    """Labels of a made-up training set."""

    bits, similarity = _BITS, None

    def __init__(self) -> None:
        self.labels = (torch.rand(_ROWS, _CLASSES) < _LABELS / _CLASSES).to(torch.uint8)


def main() -> None:
    """Print the table, or with a name of a loss and of a way the memory that this one takes."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if sys.argv[1:]:
        name, way = sys.argv[1:]
        ours, peer, arguments = _sides(name)
        print(round(extra_memory(lambda: _step(ours if way == "ours" else peer, arguments))))
        return
    print(f"Mean over pairs of a batch of {_BATCH} with {_ROWS:,} codes of {_BITS} bits, forward and backward\n")
    print("| loss | tiled | whole matrices | ratio | extra memory | of whole matrices | largest relative difference |")
    print("|---|---|---|---|---|---|---|")
    for name in _LOSSES:
        ours, peer, arguments = _sides(name)
        rounds = [(_step(ours, arguments), _step(peer, arguments)) for _ in range(_ROUNDS)]
        ratio = statistics.median(theirs[0] / own[0] for own, theirs in rounds)
        seconds = [statistics.median(side[0] for side in sides) for sides in zip(*rounds, strict=True)]
        (_, value, gradient), (_, their_value, their_gradient) = rounds[0]
        difference = max(abs(value / their_value - 1), float((gradient - their_gradient).norm() / gradient.norm()))
        command = [sys.executable, "-m", "benchmarks.losses", name]
        memory = [int(subprocess.check_output([*command, way])) for way in ("ours", "peer")]  # noqa: S603
        print(
            f"| {name} | {seconds[0] * 1e3:.0f} ms | {seconds[1] * 1e3:.0f} ms | {ratio:.1f} | {memory[0]} MB"
            f" | {memory[1]} MB | {difference:.1g} |"
        )


def _sides(name: str) -> tuple[Way, Way, tuple[Tensor, Tensor, Tensor]]:
    """The loss, the same over whole matrices, and what both take."""
    loss, training = _LOSSES[name](), _Training()
    loss.setup(cast("TrainingSet", training))
    loss.bank.relaxed.normal_()
    rows = torch.randperm(_ROWS)[:_BATCH]

    def ours(relaxed: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        return torch.stack(list(loss(relaxed, labels, rows).values())).sum()

    def peer(relaxed: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        loss.bank.write(rows, relaxed)
        return {"idhn": _plain_idhn, "dpsh": _plain_dpsh}[name](relaxed, labels, loss.bank.relaxed, loss.bank.labels)

    return ours, peer, (torch.randn(_BATCH, _BITS), training.labels[rows].float(), rows)


def _plain_idhn(relaxed: Tensor, labels: Tensor, bank: Tensor, bank_labels: Tensor) -> Tensor:
    bits = relaxed.shape[1]
    norms = labels.square().sum(1, keepdim=True).sqrt() @ bank_labels.square().sum(1, keepdim=True).sqrt().T
    similarity = labels @ bank_labels.T / (norms + 1e-9)
    hard = (similarity > 0.99).float() + (similarity < 0.01).float()
    inner = relaxed @ bank.T / 2
    entropy = (1 + (-inner.abs()).exp()).log() + inner.clamp(min=0) - similarity * inner
    error = (inner + bits - 2 * similarity * bits).square()
    return (hard * entropy + 0.1 * (1 - hard) * error).mean() + 0.1 * (relaxed.abs() - 1).abs().mean()


def _plain_dpsh(relaxed: Tensor, labels: Tensor, bank: Tensor, bank_labels: Tensor) -> Tensor:
    similarity = (labels @ bank_labels.T > 0).float()
    inner = relaxed @ bank.T / 2
    entropy = (1 + (-inner.abs()).exp()).log() + inner.clamp(min=0) - similarity * inner
    return entropy.mean() + 10 * (relaxed - relaxed.sign()).square().sum() / similarity.numel()


def _step(way: Way, arguments: tuple[Tensor, Tensor, Tensor]) -> tuple[float, float, Tensor]:
    """Seconds of the processor, value and gradient."""
    relaxed = arguments[0].clone().requires_grad_()
    start = time.process_time()
    value = way(relaxed, *arguments[1:])
    value.backward()
    seconds = time.process_time() - start
    return seconds, value.item(), cast("Tensor", relaxed.grad)


if __name__ == "__main__":
    main()
