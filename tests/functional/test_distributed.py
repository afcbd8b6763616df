import socket
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed as dist
from torch import multiprocessing as mp

from softhash.functional.distributed import gather_batch, gather_rows
from softhash.losses.bank import MemoryBank


def test_one_process_sorts_by_row_and_drops_repeats() -> None:
    rows, values = gather_rows(torch.tensor([2, 0, 2, 1]), torch.tensor([[20.0], [0.0], [20.0], [10.0]]))

    assert rows.tolist() == [0, 1, 2]
    assert values.tolist() == [[0.0], [10.0], [20.0]]


def work(rank: int, world: int, port: int, folder: str) -> None:
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=60),
    )
    own = torch.arange(11)[rank::world][: None if rank else 1]  # the first process has a single row, so sizes differ
    own = torch.cat([own, torch.tensor([10])])  # and all repeat the last
    rows, squares, names = gather_rows(own, (own**2).float()[:, None], own.to(torch.uint8))
    bank = MemoryBank(torch.eye(11, dtype=torch.uint8), bits=1)
    bank.write(own, own[:, None].float())
    torch.save((rows, squares, names, bank.relaxed), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


WEIGHT, INPUTS = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.arange(24.0).reshape(12, 2) / 10 - 1


def loss_of(weight: torch.Tensor, inputs: torch.Tensor, *, gathered: bool) -> torch.Tensor:
    """A loss of all pairs of a batch."""
    relaxed = torch.tanh(inputs @ weight)
    (batch,) = gather_batch(relaxed) if gathered else (relaxed,)
    return (batch @ batch.T).exp().mean()


def differentiate(rank: int, world: int, port: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    weight = WEIGHT.clone().requires_grad_()
    loss = loss_of(weight, INPUTS.tensor_split(world)[rank], gathered=True)
    loss.backward()
    dist.all_reduce(weight.grad)  # distributed training averages over processes
    torch.save((loss.detach(), weight.grad / world), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_a_gathered_batch_has_the_loss_and_the_gradient_of_one_process(world: int, tmp_path: Path) -> None:
    weight = WEIGHT.clone().requires_grad_()
    expected = loss_of(weight, INPUTS, gathered=False)
    expected.backward()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    mp.spawn(differentiate, args=(world, port, str(tmp_path)), nprocs=world)

    for rank in range(world):
        loss, gradient = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(loss, expected.detach(), rtol=1e-6, atol=0)
        torch.testing.assert_close(gradient, weight.grad, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_every_process_has_all_rows_and_the_same_bank(world: int, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    mp.spawn(work, args=(world, port, str(tmp_path)), nprocs=world)

    present = sorted({0, 10, *(row for rank in range(1, world) for row in range(rank, 11, world))})
    for rank in range(world):
        rows, squares, names, bank = torch.load(tmp_path / f"{rank}.pt")
        assert rows.tolist() == present
        assert squares.flatten().tolist() == [row**2 for row in present]
        assert names.tolist() == present
        assert bank.flatten().tolist() == [row if row in present else 0 for row in range(11)]
