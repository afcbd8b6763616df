import torch

from softhash.callbacks.gathering import Gathering
from softhash.types import Codes


def test_batches_become_one_tensor_in_row_order_with_each_row_once() -> None:
    gathering = Gathering()
    for rows in (torch.tensor([3, 0]), torch.tensor([2, 1, 3])):
        codes = rows[:, None].to(torch.uint8)
        gathering.add({"mine": Codes(codes, codes + 10, 8, codes.float())}, rows, ("query", "database"))

    assert gathering.whole("mine", "query").tolist() == [[0], [1], [2], [3]]
    assert gathering.whole("mine", "database").tolist() == [[10], [11], [12], [13]]
    assert gathering.bits == {"mine": 8}


def test_what_was_cleared_is_gone() -> None:
    gathering = Gathering()
    codes = torch.zeros(1, 1, dtype=torch.uint8)
    gathering.add({"mine": Codes(codes, codes, 8, codes)}, torch.tensor([0]), ("query",))
    gathering.clear()
    gathering.add({"mine": Codes(codes + 7, codes, 8, codes)}, torch.tensor([0]), ("query",))

    assert gathering.whole("mine", "query").tolist() == [[7]]
