import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from softhash.data.decode import ImageReader, _jpeg_size, decode, resize_short_side
from softhash.storage.archive import Files

COLOURS = np.array([[[250, 10, 20], [10, 240, 30]], [[20, 30, 230], [200, 200, 40]]], dtype=np.uint8)  # four corners


def picture() -> Image.Image:
    """24 x 16 pixels, of one colour in each quarter."""
    return Image.fromarray(COLOURS.repeat(8, 0).repeat(12, 1))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def corners(data: bytes) -> np.ndarray:
    """The middle of each quarter, ``(2, 2, 3)``."""
    pixels = decode(data).permute(1, 2, 0).numpy()
    height, width = pixels.shape[:2]
    return pixels[height // 4 :: height // 2, width // 4 :: width // 2].astype(int)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGB"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("PNG", "P"),
        ("GIF", "P"),
        ("PNG", "RGBA"),
        ("WEBP", "RGB"),
    ],
)
def test_any_kind_of_picture_becomes_rgb(kind: str, mode: str) -> None:
    image = picture().quantize(8) if mode == "P" else picture().convert(mode)
    options = {"quality": 100} if kind in {"JPEG", "WEBP"} else {}

    np.testing.assert_allclose(corners(encoded(image, kind, **options)), COLOURS, atol=12)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_pictures_have_three_equal_channels(kind: str) -> None:
    grey = Image.fromarray(np.full((16, 16), 77, dtype=np.uint8))

    found = decode(encoded(grey, kind))

    assert found.shape == (3, 16, 16)
    np.testing.assert_allclose(found, 77, atol=1)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    deep = Image.fromarray(np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16))

    assert decode(encoded(deep, "PNG"))[0].tolist() == [[0, 100], [200, 255]]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_photos_are_turned_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # shot with the camera on its side: rotate by 90 degrees clockwise

    found = corners(encoded(picture(), kind, exif=exif))

    np.testing.assert_allclose(found, np.rot90(COLOURS, -1), atol=25)


def test_the_first_frame_of_an_animation_is_taken() -> None:
    second = Image.new("RGB", (24, 16))

    data = encoded(picture().quantize(8), "GIF", save_all=True, append_images=[second.quantize(8)])

    np.testing.assert_allclose(corners(data), COLOURS, atol=12)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (
            b"\n<!DOCTYPE html><html>This photo is no longer available</html>",
            "it is a web page, not a picture",
        ),
        (b"no picture at all", "cannot identify image file"),
        (encoded(picture(), "JPEG")[:-200], "truncated|Truncated"),
        (encoded(picture(), "PNG")[:-30], "truncated|Truncated|broken"),
    ],
)
def test_what_is_no_picture_is_said(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(data)


def test_the_short_side_is_resized_and_the_proportions_kept() -> None:
    image = decode(encoded(picture(), "PNG"))

    assert resize_short_side(image, 8).shape == (3, 8, 12)
    assert resize_short_side(image, 8, squash=True).shape == (3, 8, 8)
    assert resize_short_side(image, 16) is image


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {}), ("L", {}), ("RGB", {"progressive": True}), ("CMYK", {}), ("RGB", {"comment": b"\xff\xc0" * 9})],
)
def test_the_size_of_a_jpeg_is_known_before_it_is_decoded(mode: str, options: dict[str, Any]) -> None:
    exif = Image.Exif()
    exif[0x010E] = "\xff\xc2 and other words" * 20

    assert _jpeg_size(encoded(picture().convert(mode), "JPEG", exif=exif, **options)) == (24, 16)
    assert _jpeg_size(encoded(picture(), "JPEG")[:20]) is None
    assert _jpeg_size(b"\xff\xd8" + b"\xff" * 1000) is None


def huge(kind: str) -> bytes:
    """A picture that says to have 20,000 x 20,000 pixels, with data for a few."""
    if kind == "PNG":
        data = encoded(Image.new("L", (8, 8)), "PNG")
        header = data[12:16] + (20_000).to_bytes(4, "big") * 2 + data[24:29]
        return data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:]
    data = encoded(picture(), "JPEG")
    frame = data.index(b"\xff\xc0")
    return data[: frame + 5] + (20_000).to_bytes(2, "big") * 2 + data[frame + 9 :]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_more_pixels_than_a_photo_has_are_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(huge(kind))
    read = ImageReader(Files(tmp_path, "data.root", ""), np.array([0]), resize=8)

    with pytest.raises(ValueError, match=r"20000 x 20000 pixels, more than 179 million|exceeds limit"):
        decode(huge(kind))
    with pytest.raises(ValueError, match=r"cannot decode a\.jpg in .* bytes\): "):
        read(0)
    assert "pixels" in read.broken(0)


def test_a_line_of_pixels_is_not_resized_to_a_huge_photo() -> None:
    line = torch.zeros(3, 1, 60_000, dtype=torch.uint8)

    with pytest.raises(ValueError, match="resized from 60000 x 1, it has 13440000 x 224 pixels, more than 179 million"):
        resize_short_side(line, 224)


def test_photos_are_read_by_their_place(tmp_path: Path) -> None:
    for name, colour in (("a.png", (9, 0, 0)), ("b.png", (0, 9, 0)), ("c.png", (0, 0, 9))):
        Image.new("RGB", (4, 4), colour).save(tmp_path / name)
    files = Files(tmp_path, "data.root", "")

    read = ImageReader(files, files.positions(["c.png", "a.png"]), resize=2)

    assert read(0)[:, 1, 1].tolist() == [0, 0, 9]
    assert read(1)[:, 1, 1].tolist() == [9, 0, 0]
