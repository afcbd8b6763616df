"""Photos from files to tensors: RGB, upright, resized."""

import io
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2.functional import resize as resize_image

from softhash.text import first_few

DECODER = "torchvision-antialias-1"  # named in caches: another way to decode needs another name
MAX_PIXELS = 178_956_970  # of a photo; Pillow refuses more as well
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")  # of photos in folders, in lower case

_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_NO_FRAMES = {0xC4, 0xC8, 0xCC}  # JPEG markers among those of frames that are something else: tables, extensions


class Source(Protocol):
    """Where the bytes of photos are, by position."""

    root: Path

    def name(self, position: int) -> str:
        """The name of the file at a position."""

    def read_at(self, position: int) -> bytes:
        """Content of the file at a position; FileNotFoundError where it is gone, ValueError where it is damaged."""


class ImageReader:
    """Decodes and resizes photos by their place.

    Args:
        files: Where they are, such as :class:`softhash.storage.archive.Files`.
        positions: ``(M,)`` position among the files of the photo at each place.
        resize: Short side in pixels.
        squash: Make the long side as short, instead of keeping the proportions.
    """

    def __init__(self, files: Source, positions: NDArray[np.int64], resize: int, squash: bool = False) -> None:
        self.files, self.positions, self.resize, self.squash = files, positions, resize, squash

    def __call__(self, place: int) -> Tensor:
        """``(3, height, width)`` uint8.

        Raises:
            FileNotFoundError: The photo is no longer there.
            ValueError: The file is broken, or no picture at all; names it.
        """
        position = int(self.positions[place])
        data = self.files.read_at(position)
        try:
            return resize_short_side(decode(data), self.resize, self.squash)
        except ValueError as error:
            name = first_few([self.files.name(position)])
            msg = f"cannot decode {name} in {self.files.root} ({len(data)} bytes): {error}"
            raise ValueError(msg) from error

    def broken(self, place: int) -> str | None:
        """Why the photo at a place cannot be decoded, or None.

        A JPEG that starts and ends as one is taken to be whole, which is much faster than decoding it.
        """
        try:
            data = self.files.read_at(int(self.positions[place]))
            if data.startswith(_JPEG_START) and data.endswith(_JPEG_END):
                _refuse_large(*(_jpeg_size(data) or (0, 0)))
            else:
                decode(data)
        except (ValueError, OSError) as error:
            return str(error)
        return None


def decode(data: bytes) -> Tensor:
    """Decode a JPEG, or what else Pillow reads: ``(3, height, width)`` uint8, RGB and upright.

    The first frame of an animation; transparent pixels as they are stored.

    Raises:
        ValueError: ``data`` is broken, has more than ``MAX_PIXELS`` pixels, or is no picture; says what it looks like.
    """
    if data.startswith(_JPEG_START) and (size := _jpeg_size(data)):
        _refuse_large(*size)
        try:
            # Deprecated for TorchCodec, an extra package; two thirds of Pillow's time, to the same pixels.
            encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            jpeg: Tensor = decode_jpeg(encoded, mode=ImageReadMode.RGB, apply_exif_orientation=True)
        except RuntimeError:
            pass  # Pillow reads a few more kinds, and says what is wrong
        else:
            return jpeg
    if not data:
        msg = "the file is empty"
        raise ValueError(msg)
    if data.lstrip()[:1] == b"<":
        msg = "it is a web page, not a picture; probably the photo is no longer there"
        raise ValueError(msg)
    try:
        with Image.open(io.BytesIO(data)) as image:
            return from_pillow(image)
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error


def from_pillow(image: Image.Image) -> Tensor:
    """Pixels of an image of Pillow: ``(3, height, width)`` uint8, RGB and upright.

    Raises:
        ValueError: It has more than ``MAX_PIXELS`` pixels.
        OSError: The file that it is read from is broken.
    """
    _refuse_large(*image.size)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):  # Pillow would cut, not scale, 16 bits
        upright = Image.fromarray((np.asarray(upright) // 257).astype(np.uint8))
    return torch.from_numpy(np.array(upright.convert("RGB"))).permute(2, 0, 1)


def resize_short_side(image: Tensor, resize: int, squash: bool = False) -> Tensor:
    """Resize ``(3, height, width)`` uint8 to a short side, or both, of ``resize`` pixels; antialiased.

    Raises:
        ValueError: The long side would become so long that there were more than ``MAX_PIXELS`` pixels.
    """
    height, width = image.shape[1:]
    scale = 0 if squash else resize / min(height, width)
    size = [max(resize, round(height * scale)), max(resize, round(width * scale))]
    if size == [height, width]:
        return image
    _refuse_large(size[1], size[0], f"resized from {width} x {height}, ")
    small: Tensor = resize_image(image, size, antialias=True)
    return small


def _refuse_large(width: int, height: int, before: str = "") -> None:
    if width * height > MAX_PIXELS:
        msg = f"{before}it has {width} x {height} pixels, more than {MAX_PIXELS / 1e6:.0f} million"
        raise ValueError(msg)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG says to have, by its first frame; None where none is found."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            height, width = (int.from_bytes(data[place + at : place + at + 2], "big") for at in (5, 7))
            return width, height
        # A segment says its length; padding and markers that stand alone have none.
        alone = marker in {0x01, 0xFF} or 0xD0 <= marker <= 0xD8
        place += (1 if marker == 0xFF else 2) if alone else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None
