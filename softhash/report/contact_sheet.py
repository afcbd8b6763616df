"""A contact sheet: pictures of a split with the names of their labels."""

import textwrap

import torch
from PIL import Image, ImageDraw, ImageFont
from torchvision.transforms.v2.functional import resize

from softhash.data.base import Split

_GAP, _LINE, _LINES = 8, 14, 3  # pixels around pictures and for a line of text; lines per picture


def contact_sheet(split: Split, class_names: list[str], count: int, columns: int = 6, side: int = 160) -> Image.Image:
    """Draw evenly spaced images of a split, each with its labels below, or its name where the data have no labels.

    Args:
        split: The images.
        class_names: C names.
        count: Number of images, or all if there are fewer.
        columns: Number of images beside each other.
        side: Long side of a picture in pixels.

    Returns:
        An RGB picture, as high as it takes.
    """
    count = min(count, len(split))
    rows = torch.linspace(0, len(split) - 1, count).long().tolist()
    columns = min(columns, count)
    width, height = side + _GAP, side + _GAP + _LINE * _LINES
    sheet = Image.new("RGB", (columns * width + _GAP, -(-count // columns) * height + _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=_LINE - 3)
    for index, row in enumerate(rows):
        left, top = _GAP + index % columns * width, _GAP + index // columns * height
        picture = split.image(row)
        scale = side / max(picture.shape[1:])
        small = resize(picture, [max(1, round(length * scale)) for length in picture.shape[1:]], antialias=True)
        sheet.paste(Image.fromarray(small.permute(1, 2, 0).numpy()), (left, top))
        names = [class_names[column] for column in split.labels[row, : len(class_names)].nonzero().flatten().tolist()]
        text = textwrap.wrap(
            ", ".join(names) or ("no label" if class_names else str(split.ids[row])), round(side / 5.8)
        )
        shown = text if len(text) <= _LINES else [*text[: _LINES - 1], f"{text[_LINES - 1]} ..."]
        draw.multiline_text((left, top + side + 1), "\n".join(shown), "black", font, spacing=2)
    return sheet
