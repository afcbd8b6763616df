import torch

from softhash.losses.bank import MemoryBank


def test_a_write_replaces_its_rows_only_and_is_constant_for_autograd() -> None:
    bank = MemoryBank(torch.eye(3, dtype=torch.uint8), bits=2)
    codes = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)

    bank.write(torch.tensor([2, 0]), codes)

    assert bank.relaxed.tolist() == [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]
    assert not bank.relaxed.requires_grad


def test_a_bank_survives_a_checkpoint() -> None:
    bank, restored = (MemoryBank(torch.eye(3, dtype=torch.uint8), bits=2) for _ in range(2))
    bank.write(torch.tensor([1]), torch.tensor([[5.0, 6.0]]))

    restored.load_state_dict(bank.state_dict())

    assert restored.relaxed.tolist() == [[0.0, 0.0], [5.0, 6.0], [0.0, 0.0]]
