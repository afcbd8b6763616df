import numpy as np
import torch
from torch import nn

from softhash.data.base import TensorSplit
from softhash.report.contact_sheet import contact_sheet


def test_a_contact_sheet_shows_each_picture_in_its_place() -> None:
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]], dtype=torch.uint8)
    images = colours[:, :, None, None].expand(4, 3, 8, 8)
    split = TensorSplit(np.array(list("abcd")), torch.eye(4), np.arange(4), images, nn.Identity())

    sheet = contact_sheet(split, ["one", "two", "three", "four"], count=10, columns=3, side=50)

    assert sheet.size == (3 * 58 + 8, 2 * 100 + 8)
    assert sheet.getpixel((30, 30)) == (255, 0, 0)
    assert sheet.getpixel((58 + 30, 30)) == (0, 255, 0)
    assert sheet.getpixel((30, 100 + 30)) == (255, 255, 0)
    assert sheet.getpixel((58 + 30, 100 + 30)) == (255, 255, 255)
    below = np.asarray(sheet)[60:100, :58]
    assert (below < 128).any()  # the name of its label
