"""From any photo to what the network of a run sees."""

from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import center_crop, rgb_to_grayscale

from softhash.data.decode import decode, from_pillow, resize_short_side

Photo = Image.Image | Tensor | str | Path


@dataclass(frozen=True)
class Preprocessing:
    """Photos resized and cut as the images of a run.

    Attributes:
        resize: Short side in pixels.
        squash: Make the long side as short, instead of keeping the proportions.
        image_size: Side of the square that is cut out of the middle.
        channels: 3, or 1 for a run on grey images.

    Raises:
        ValueError: A side is no whole number of at least 1, the square is larger than the resized photo, or there are
            neither 1 nor 3 channels.
    """

    resize: int
    squash: bool
    image_size: int
    channels: int = 3

    def __post_init__(self) -> None:
        """Check values, as they may come from somebody else's file."""
        sides = (self.image_size, self.resize)
        if any(type(side) is not int for side in sides) or not 1 <= self.image_size <= self.resize:
            msg = f"image_size must be at least 1 and at most data.resize, got {self.image_size!r} and {self.resize!r}"
            raise ValueError(msg)
        if self.channels not in (1, 3):
            msg = f"images must have 1 or 3 channels, got {self.channels!r}"
            raise ValueError(msg)

    def __call__(self, *photos: Photo) -> Tensor:
        """A batch of some photos.

        Args:
            photos: Images of Pillow, ``(1 or 3, height, width)`` uint8 tensors, or paths of files.

        Returns:
            ``(B, channels, image_size, image_size)`` uint8.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: A file or a tensor is no picture.
        """
        return torch.stack([self.fit(resize_short_side(_pixels(photo), self.resize, self.squash)) for photo in photos])

    def fit(self, image: Tensor) -> Tensor:
        """Cut a resized ``(3, height, width)`` image; ``(channels, image_size, image_size)``."""
        square: Tensor = center_crop(image, [self.image_size, self.image_size])
        return square if self.channels == 3 else rgb_to_grayscale(square)


def _pixels(photo: Photo) -> Tensor:
    """``(3, height, width)`` uint8."""
    if isinstance(photo, Image.Image):
        return from_pillow(photo)
    if isinstance(photo, str | Path):
        return decode(Path(photo).read_bytes())
    if photo.dtype != torch.uint8 or photo.ndim != 3 or photo.shape[0] not in (1, 3):
        msg = f"a photo must be (1 or 3, height, width) uint8, got {tuple(photo.shape)} of {photo.dtype}"
        raise ValueError(msg)
    return photo.expand(3, *photo.shape[1:])
