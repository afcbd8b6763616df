"""Some queries, and what they find."""

import io
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import center_crop, resize

from softhash.data.base import Split
from softhash.functional.hamming import hamming_distance
from softhash.functional.tables import look_up
from softhash.report.drawing import BLUE, GREY, INK, ORANGE, RunFigure, data_uri
from softhash.runs.folder import Run

SIDE = 96  # of a thumbnail, in pixels
_QUERIES, _NEIGHBOURS = 8, 10
_LABELS = 4  # names written below an image, at most
_PICTURE, _BESIDE, _BELOW = 1.15, 0.1, 0.85  # inches: a picture, between two, names of labels
_TITLE = 0.25  # inches above the first line


class Tile(NamedTuple):
    """An image of the gallery, and what is written around it.

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


class Gallery(RunFigure):
    """Queries on the left, their nearest database images on the right."""

    name, section, order, wide = "gallery", "What it finds", 10, True
    caption = (
        "Some queries, and the nearest images of the database with their distance in bits, nearest first. Labels shared"
        " with the query are filled; a faded image is not relevant. Equal distances are in database order."
    )

    def draw(self, run: Run) -> Figure | None:
        """A line per query, with the names of labels below each image; None where the run has no gallery."""
        lines = tiles(run)
        if not lines:
            return None
        across, down = _PICTURE + _BESIDE, _PICTURE + _BELOW
        width, height = across * len(lines[0]), down * len(lines) + _TITLE
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))  # one for all, in inches: eighty of them take seconds
        axes.set_axis_off()
        for i, line in enumerate(lines):
            for j, tile in enumerate(line):
                _draw_tile(axes, tile, left=across * j + _BESIDE / 2, top=down * i + _TITLE)
        axes.set(xlim=(0, width), ylim=(height, 0))
        return figure

    def html(self, run: Run) -> str:
        """Strips of thumbnails; on a narrow screen they scroll under the query."""
        strips = [f'<div class="strip">{"".join(map(_tile_html, line))}</div>' for line in tiles(run)]
        return f'<figure class="wide">{"".join(strips)}<figcaption>{escape(self.caption)}</figcaption></figure>'


def write_gallery(run: Run, query: Split, database: Split) -> None:
    """Write thumbnails of evenly spaced queries and of their nearest database images by the codes of the first method.

    Equal distances keep the order of the database.

    Args:
        run: A run that has codes.
        query: Its queries.
        database: Its database.
    """
    codes = run.codes(run.record().methods[0].name)
    rows = torch.from_numpy(np.linspace(0, len(query) - 1, min(_QUERIES, len(query)), dtype=np.int64))
    if codes.query.ndim == 3:
        distances = -look_up(codes.query[rows], codes.database)
    else:
        distances = hamming_distance(codes.query[rows], codes.database)
    nearest = distances.argsort(dim=1, stable=True)[:, :_NEIGHBOURS]
    run.write_gallery(
        query_rows=rows.numpy(),
        neighbour_rows=nearest.numpy(),
        query_images=np.stack([thumbnail(query.image(row)) for row in rows.tolist()]),
        neighbour_images=np.stack([[thumbnail(database.image(row)) for row in line] for line in nearest.tolist()]),
        distances=distances.gather(1, nearest).numpy(),
    )


def tiles(run: Run) -> list[list[Tile]]:
    """A line per query: itself, and the images that it finds; none where the run has no gallery."""
    gallery, relevance = run.gallery(), run.relevance
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


def inline(image: NDArray[np.uint8]) -> str:
    """An image ``(3, height, width)`` as the source of a picture that stands inside of a page."""
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, "WEBP", quality=85)
    return data_uri("image/webp", file.getvalue())


def _title(distance: float, grade: float | None) -> str:
    """Distance and, where there are no labels, the similarity to the query; a score where there is no distance."""
    bits = "1 bit" if distance == 1 else f"{distance} bits"
    text = bits if isinstance(distance, int) else f"score {-distance:.2f}"
    return text if grade is None else f"{text}, {grade:.2f}"


def thumbnail(image: Tensor, side: int = SIDE) -> NDArray[np.uint8]:
    """A small square of the centre; pixels of a smaller picture stay sharp."""
    image = center_crop(image, [min(image.shape[-2:])])
    mode = InterpolationMode.BILINEAR if min(image.shape[-2:]) > side else InterpolationMode.NEAREST
    small: Tensor = resize(image, [side, side], interpolation=mode)
    return small.numpy()


def _draw_tile(axes: Axes, tile: Tile, left: float, top: float) -> None:
    """An image in a frame; below it the names of its labels."""
    colour = {"query": INK, "hit": BLUE, "miss": ORANGE}[tile.role]
    middle, bottom = left + _PICTURE / 2, top + _PICTURE
    axes.imshow(tile.image.transpose(1, 2, 0), extent=(left, left + _PICTURE, bottom, top), aspect="auto")
    axes.add_artist(Rectangle((left, top), _PICTURE, _PICTURE, fill=False, edgecolor=colour, linewidth=2))
    axes.text(middle, top - 0.04, tile.title, fontsize=8, color=colour, ha="center", va="bottom")
    names = [(name, colour) for name in tile.shared] + [(name, GREY) for name in tile.others]
    hidden = len(names) - _LABELS
    for place, (name, tone) in enumerate(names[:_LABELS]):
        text = f"{name} +{hidden}" if place == _LABELS - 1 and hidden > 0 else name
        axes.text(middle, bottom + 0.07 + 0.15 * place, text, fontsize=7, color=tone, ha="center", va="top")


def _tile_html(tile: Tile) -> str:
    return (
        f'<div class="{tile.role}"><img alt="{_listed([*tile.shared, *tile.others])}" src="{inline(tile.image)}">'
        f"<small>{tile.title}</small><p>{_marks(tile.shared, tile.others)}</p></div>"
    )


def _marks(shared: Sequence[str], others: Sequence[str]) -> str:
    return " ".join([f"<b>{escape(name)}</b>" for name in shared] + [_listed(others)] * bool(others))


def _listed(names: Sequence[str]) -> str:
    return escape(", ".join(names))


FIGURE = Gallery()
