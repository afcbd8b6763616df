"""Queries beside what they find, with pictures: how they are kept in a run folder, and drawn."""

import io
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import center_crop, resize

from softhash.data.base import Split
from softhash.functional.hamming import hamming_distance
from softhash.functional.tables import look_up
from softhash.report.drawing import BLUE, GREY, INK, ORANGE, data_uri, short
from softhash.runs.folder import Run
from softhash.types import Codes

COLUMNS = ("query", "labels of the query", "rank", "image", "distance", "shared labels", "other labels", "relevance")

SIDE = 96  # of a thumbnail, in pixels
_NEIGHBOURS = 10
_LABELS = 4  # names written below an image, at most
_PICTURE, _GAP, _LINE, _TEXT = 144, 14, 18, 13  # pixels: a picture, between two, a line of text, its letters
_COLOURS = {"query": INK, "hit": BLUE, "miss": ORANGE}


class Tile(NamedTuple):
    """An image, and what is written around it.

    Attributes:
        image: ``(3, height, width)`` uint8.
        title: Distance to the query, or ``query``.
        shared: Names of its labels that the query has too.
        others: Names of the rest of its labels.
        role: ``query``, ``hit`` or ``miss``.
    """

    image: NDArray[np.uint8]
    title: str
    shared: list[str]
    others: list[str]
    role: str


def keep_pictures(run: Run, name: str, rows: NDArray[np.int64], query: Split, database: Split) -> None:
    """Write thumbnails of queries and of their nearest database images by the codes of the first method.

    Equal distances keep the order of the database.

    Args:
        run: A run that has codes.
        name: Of the figure that shows them.
        rows: ``(n,)`` which queries.
        query: Its queries.
        database: Its database.
    """
    distances = distances_to_all(run.codes(run.record().methods[0].name), torch.from_numpy(rows))
    nearest = distances.argsort(dim=1, stable=True)[:, :_NEIGHBOURS]
    run.write_gallery(
        name,
        query_rows=rows,
        neighbour_rows=nearest.numpy(),
        query_images=np.stack([thumbnail(query.image(row)) for row in rows.tolist()]),
        neighbour_images=np.stack([[thumbnail(database.image(row)) for row in line] for line in nearest.tolist()]),
        distances=distances.gather(1, nearest).numpy(),
    )


def distances_to_all(codes: Codes, rows: Tensor) -> Tensor:
    """Distances ``(n, N)`` of all items to ``(n,)`` queries: int64 bits, or real where queries are tables."""
    if codes.query.ndim == 3:
        return -look_up(codes.query[rows], codes.database)
    return hamming_distance(codes.query[rows], codes.database)


def tiles(run: Run, name: str = "gallery") -> list[list[Tile]]:
    """A line per query: itself, and the images that it finds; none where the run has no such pictures."""
    gallery, relevance = run.gallery(name), run.relevance
    lines = []
    for i, query in enumerate(gallery.get("query_rows", ())):
        wanted = relevance.describe_query(int(query))
        neighbours = gallery["neighbour_rows"][i]
        grades = relevance.between(torch.tensor([query]), torch.from_numpy(neighbours))[0].tolist()
        line = [Tile(gallery["query_images"][i], "query", wanted, [], "query")]
        for j, (row, grade) in enumerate(zip(neighbours, grades, strict=True)):
            names = relevance.describe_item(int(row))
            line.append(
                Tile(
                    gallery["neighbour_images"][i, j],
                    _title(gallery["distances"][i, j].item(), None if relevance.class_names else grade),
                    [name for name in names if name in wanted],
                    [name for name in names if name not in wanted],
                    "hit" if grade > 0 else "miss",
                )
            )
        lines.append(line)
    return lines


def numbers(run: Run, name: str = "gallery") -> Iterator[list[object]]:
    """What the tiles say, in the order of :data:`COLUMNS`; relevance: shared labels, or a similarity."""
    gallery, relevance = run.gallery(name), run.relevance
    queries, items = run.ids()
    for i, query in enumerate(gallery["query_rows"].tolist()):
        wanted = relevance.describe_query(query)
        neighbours = gallery["neighbour_rows"][i]
        grades = relevance.between(torch.tensor([query]), torch.from_numpy(neighbours))[0].tolist()
        for j, (row, grade) in enumerate(zip(neighbours.tolist(), grades, strict=True)):
            names = relevance.describe_item(row)
            shared = ", ".join(name for name in names if name in wanted)
            others = ", ".join(name for name in names if name not in wanted)
            distance = gallery["distances"][i, j]
            yield [queries[query], ", ".join(wanted), j + 1, items[row], distance, shared, others, f"{grade:g}"]


def draw_strips(lines: Sequence[Sequence[Tile]], headings: Sequence[str] = ()) -> Image.Image:
    """A line per query, with the names of labels below each image, and its heading above where there is one.

    Drawn without matplotlib, which takes seconds for so many pictures and texts.
    """
    font = ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", _TEXT)
    across = _PICTURE + _GAP
    above = _LINE * (2 if headings else 1) + _GAP
    down = above + _PICTURE + _LINE * _LABELS + _GAP
    sheet = Image.new("RGB", (across * max(map(len, lines)) + _GAP, down * len(lines) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for i, line in enumerate(lines):
        top = down * i + above
        if headings:
            text = short(headings[i], sheet.width * 2 // _TEXT)
            draw.text((_GAP, top - _LINE - _GAP), text, INK, font, anchor="ls")
        for j, tile in enumerate(line):
            _draw_tile(draw, font, tile, left=across * j + _GAP, top=top)
            sheet.paste(_picture(tile), (across * j + _GAP, top))
    return sheet


def strips_html(lines: Sequence[Sequence[Tile]], headings: Sequence[str] = ()) -> str:
    """Strips of thumbnails; on a narrow screen they scroll under the query."""
    above = [f'<p class="heading">{escape(heading)}</p>' for heading in headings] or [""] * len(lines)
    return "".join(
        f'{heading}<div class="strip">{"".join(map(_tile_html, line))}</div>'
        for heading, line in zip(above, lines, strict=True)
    )


def inline(image: NDArray[np.uint8]) -> str:
    """An image ``(3, height, width)`` as the source of a picture that stands inside of a page."""
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, "WEBP", quality=85)
    return data_uri("image/webp", file.getvalue())


def thumbnail(image: Tensor, side: int = SIDE) -> NDArray[np.uint8]:
    """A small square of the centre; pixels of a smaller picture stay sharp."""
    image = center_crop(image, [min(image.shape[-2:])])
    mode = InterpolationMode.BILINEAR if min(image.shape[-2:]) > side else InterpolationMode.NEAREST
    small: Tensor = resize(image, [side, side], interpolation=mode)
    return small.numpy()


def _title(distance: float, grade: float | None) -> str:
    """Distance and, where there are no labels, the similarity to the query; a score where there is no distance."""
    bits = "1 bit" if distance == 1 else f"{distance} bits"
    text = bits if isinstance(distance, int) else f"score {-distance:.2f}"
    return text if grade is None else f"{text}, {grade:.2f}"


def _draw_tile(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, tile: Tile, left: int, top: int) -> None:
    """A frame, the title above, and the names of labels below."""
    colour, middle, bottom = _COLOURS[tile.role], left + _PICTURE // 2, top + _PICTURE
    draw.rectangle((left - 3, top - 3, left + _PICTURE + 2, bottom + 2), colour)
    draw.text((middle, top - 8), tile.title, colour, font, anchor="ms")
    for place, (name, tone) in enumerate(below(tile), 1):
        draw.text((middle, bottom + _LINE * place), short(name), tone, font, anchor="ms")


def below(tile: Tile) -> list[tuple[str, str]]:
    """What stands below a tile, and in which colour: labels that are shared, then the others; at most four lines."""
    names = [(name, _COLOURS[tile.role]) for name in tile.shared] + [(name, GREY) for name in tile.others]
    last, tone = names[_LABELS - 1] if len(names) > _LABELS else ("", "")
    return [*names[: _LABELS - 1], (f"{last} +{len(names) - _LABELS}", tone)] if last else names


def _picture(tile: Tile) -> Image.Image:
    return Image.fromarray(tile.image.transpose(1, 2, 0)).resize((_PICTURE, _PICTURE), Image.Resampling.BILINEAR)


def _tile_html(tile: Tile) -> str:
    return (
        f'<div class="{tile.role}"><img alt="{_listed([*tile.shared, *tile.others])}" src="{inline(tile.image)}">'
        f"<small>{tile.title}</small><p>{_marks(tile.shared, tile.others)}</p></div>"
    )


def _marks(shared: Sequence[str], others: Sequence[str]) -> str:
    return " ".join([f"<b>{escape(name)}</b>" for name in shared] + [_listed(others)] * bool(others))


def _listed(names: Sequence[str]) -> str:
    return escape(", ".join(names))
