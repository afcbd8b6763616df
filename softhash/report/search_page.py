"""What photos find in an index: a table for the terminal, and a page with pictures."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from rich.table import Table
from rich.text import Text

from softhash.data.decode import decode
from softhash.report.page import document
from softhash.report.strips import SIDE, inline, thumbnail
from softhash.search.index import Neighbours
from softhash.storage.archive import Files
from softhash.storage.atomic import atomic_write

_HINT = "Give the folder or archive whose photos were encoded."


def distance_text(distance: float) -> str:
    """A distance with its unit: whole numbers are bits.

    Example:
        >>> distance_text(1), distance_text(12), distance_text(-0.5)
        ('1 bit', '12 bits', '-0.500')
    """
    if isinstance(distance, int):
        return "1 bit" if distance == 1 else f"{distance} bits"
    return f"{distance:.3f}"


def neighbour_table(photo: Path, neighbours: Neighbours) -> Table:
    """Rank, name, distance and, where they are known, labels of what a photo finds."""
    has_labels = any(neighbours.labels)
    table = Table(title=Text(str(photo)), title_justify="left")
    table.add_column("rank", justify="right")
    table.add_column("name", overflow="fold")
    table.add_column("distance", justify="right")
    if has_labels:
        table.add_column("labels")
    columns = zip(neighbours.names, neighbours.distances.tolist(), neighbours.labels, strict=True)
    for rank, (name, distance, labels) in enumerate(columns, 1):
        texts = [str(rank), shown(name), distance_text(distance), *([", ".join(labels)] if has_labels else [])]
        table.add_row(*map(Text, texts))
    return table


def write_search_page(page: Path, photos: Sequence[Path], found: Sequence[Neighbours], images: str) -> None:
    """Write a page with each photo and, beside it, what it finds, nearest first.

    Args:
        page: The file; nothing is loaded from elsewhere.
        photos: Queries.
        found: What each finds.
        images: The folder or archive with the photos of the index, by their names.

    Raises:
        FileNotFoundError: There is no such folder or archive.
        OSError: The disk is full.
    """
    files = Files(images, "images", _HINT)
    strips = "".join(_strip(photo, neighbours, files) for photo, neighbours in zip(photos, found, strict=True))
    caption = "Photos on the left, and what they find, nearest first. Equal distances are in the order of the index."
    body = f'<h1>Search</h1>\n<figure class="wide">{strips}<figcaption>{caption}</figcaption></figure>'
    with atomic_write(page) as aside:
        aside.write_text(document("Search", body), encoding="utf-8")


def _strip(photo: Path, neighbours: Neighbours, files: Files) -> str:
    tiles = [_tile("query", inline(thumbnail(decode(photo.read_bytes()))), photo.name, "query", [])]
    columns = zip(neighbours.names, neighbours.distances.tolist(), neighbours.labels, strict=True)
    for name, distance, labels in columns:
        tiles.append(_tile("hit", picture(files, name), name, distance_text(distance), labels))
    return f'<div class="strip">{"".join(tiles)}</div>'


def picture(files: Files, name: str, side: int = SIDE) -> str | None:
    """A photo of the index as the source of a picture that stands inside of a page; None where it is gone or broken.

    Args:
        files: Where the photos are, by their names.
        name: Of the photo.
        side: Of the picture, in pixels.
    """
    try:
        return inline(thumbnail(decode(files.read(name)), side))
    except (OSError, ValueError):
        return None


def _tile(role: str, source: str | None, name: str, title: str, labels: Sequence[str]) -> str:
    text = escape(shown(name))
    picture = f'<img alt="{text}" src="{source}">' if source else "<p>no picture</p>"
    below = "".join(f"<br>{escape(label)}" for label in labels)
    return f'<div class="{role}">{picture}<small>{title}</small><p>{text}{below}</p></div>'


def shown(name: str) -> str:
    """A name with bytes that are no text escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
