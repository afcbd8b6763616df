"""The page of ``softhash demo``: a photo, and what the codes of one run or of several find for it."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import islice
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from softhash.data.decode import decode
from softhash.functional.checks import whole_number
from softhash.report.search_page import distance_text, picture, shown
from softhash.search.index import Neighbours
from softhash.search.retriever import Retriever
from softhash.storage.archive import Files
from softhash.text import first_few

_EXAMPLES, _SIDE = 12, 192  # photos to choose from; side of a picture, in pixels
_RESULTS, _MOST, _RADIUS = 20, 100, 2  # photos found at first and at most; bits
_HINT = '<p class="hint">Upload a photo, or take an example: the nearest photos appear here.</p>'


class Found(NamedTuple):
    """What a photo finds, and what was asked for.

    Attributes:
        by_run: Neighbours by each run, in the order of their columns.
        top_k: How many of them are shown at most.
        radius: In bits; None where there was no limit.
    """

    by_run: list[Neighbours]
    top_k: int
    radius: int | None


class Hit(NamedTuple):
    """A photo that a run finds.

    Attributes:
        rank: From 1.
        name: In the index.
        distance: With its unit.
        labels: Names, where they are known.
        others: Which other runs find it, and at which rank.
    """

    rank: int
    name: str
    distance: str
    labels: Sequence[str]
    others: Sequence[str]


class Demo:
    """What the page asks and shows.

    Args:
        retrievers: Of the runs, in the order of their columns; at least one.
        images: The folder or archive with the photos of the indexes, by their names; None where names alone are shown.

    Raises:
        FileNotFoundError: There is no such folder or archive, or it has none of the photos.
    """

    def __init__(self, retrievers: Sequence[Retriever], images: str | None) -> None:
        hint = "Give the folder or archive whose photos were encoded."
        self.retrievers = retrievers
        self.files = None if images is None else Files(images, "images", hint)
        self.most = min(_MOST, *(len(retriever.index) for retriever in retrievers))  # photos that can be asked for
        self.bits = max(retriever.index.collection.bits for retriever in retrievers)
        names = retrievers[0].index.collection.names
        self._examples = [names[row] for row in np.unique(np.linspace(0, len(names) - 1, _EXAMPLES).astype(int))]
        if self.files and len(self.files.missing(self._examples)) == len(self._examples):
            index = retrievers[0].index.folder
            msg = f"images={images} has none of the photos of {index}: {first_few(self._examples)}.\n  {hint}"
            raise FileNotFoundError(msg)

    def search(self, photo: Path, name: str, top_k: int, radius: int | None = None) -> Found:
        """What a photo finds with each run.

        Args:
            photo: The file.
            name: What the user calls it.
            top_k: How many photos to find; with a radius, how many of them to show.
            radius: In bits; None for no limit.

        Raises:
            ValueError: The photo is broken, a number cannot be, or the engine of an index has no such search.
            OSError: The server of an index cannot be reached.
        """
        if not 1 <= whole_number("top_k", top_k) <= self.most:
            msg = f"top_k must be at least 1 and at most {self.most}, got {top_k}"
            raise ValueError(msg)
        try:
            images = [retriever.preprocessing(photo) for retriever in self.retrievers]
        except (OSError, ValueError) as error:
            msg = f"{shown(name)} cannot be read as a photo: {error}"
            raise ValueError(msg) from error
        found = [
            retriever.search(image, top_k, radius=radius)[0]
            for retriever, image in zip(self.retrievers, images, strict=True)
        ]
        return Found(found, top_k, radius)

    def answer(self, found: Found) -> list[dict[str, Any]]:
        """What was found, for programs: by run its folder, method and checkpoint, and its neighbours, nearest first."""
        return [
            retriever.run.identity()
            | {
                "total": len(neighbours.names),
                "neighbours": [
                    {"name": shown(name), "distance": distance, "labels": labels}
                    for name, distance, labels in islice(_rows(neighbours), found.top_k)
                ],
            }
            for retriever, neighbours in zip(self.retrievers, found.by_run, strict=True)
        ]

    def html(self, found: Found) -> str:
        """What was found, for people: a column for each run; with several, also what they have in common."""
        titles = ascii_uppercase[: len(found.by_run)] if len(found.by_run) > 1 else ""
        columns = []
        for place, (retriever, neighbours) in enumerate(zip(self.retrievers, found.by_run, strict=True)):
            others = {title: found.by_run[i] for i, title in enumerate(titles) if i != place}
            hits = _hits(neighbours, others, found.top_k)
            heading = f"{titles[place]}: {_described(retriever)}" if titles else _described(retriever)
            about = f"{escape(str(retriever.run.folder))}<br>{_count(neighbours, len(retriever.index), found)}"
            hits_html = _list(hits, self.files) if self.files else _table(hits, several=bool(others))
            columns.append(f"<section><h3>{escape(heading)}</h3><p>{about}</p>{hits_html}</section>")
        return f'{_in_common(titles, found)}<div class="columns">{"".join(columns)}</div>'

    def write_examples(self, folder: Path) -> list[Path]:
        """Write photos to choose from: some of the first index, or else thumbnails of queries of the first run."""
        if self.files is None:
            thumbnails = self.retrievers[0].run.gallery().get("query_images", ())
            paths = [folder / f"query {number}.png" for number in range(1, len(thumbnails) + 1)]
            for path, image in zip(paths, thumbnails, strict=True):
                Image.fromarray(image.transpose(1, 2, 0)).save(path)
            return paths
        paths = []
        for number, name in enumerate(self._examples):
            try:
                content = self.files.read(name)
                decode(content)
            except (OSError, ValueError):  # a search names what is gone or broken
                continue
            path = folder / str(number) / Path(shown(name)).name
            path.parent.mkdir()
            path.write_bytes(content)
            paths.append(path)
        return paths


def build(demo: Demo, folder: Path) -> Any:
    """The page as ``gradio.Blocks``, with an endpoint ``search`` for programs. Needs the extra ``demo``.

    Args:
        demo: What it asks and shows.
        folder: Where Gradio puts what is uploaded, and photos to choose from lie; no photo outside of it is read.
    """
    import gradio as gr  # noqa: PLC0415 - an extra, and slow to import

    def search(photo: Mapping[str, str], top_k: int, limited: bool, radius: int) -> Found:
        path = Path(photo["path"])
        if not path.resolve().is_relative_to(folder.resolve()):
            msg = f"{shown(photo['path'])} was not uploaded"
            raise ValueError(msg)
        return demo.search(path, photo.get("orig_name") or path.name, top_k, radius if limited else None)

    def show(photo: Mapping[str, str] | None, top_k: int, limited: bool, radius: int) -> str:
        if photo is None:
            return _HINT
        try:
            return demo.html(search(photo, top_k, limited, radius))
        except (OSError, ValueError) as error:
            return f'<p class="problem" role="alert">{escape(str(error))}</p>'

    def answer(photo: Mapping[str, str], top_k: int, limited: bool, radius: int) -> list[dict[str, Any]]:
        try:
            return demo.answer(search(photo, top_k, limited, radius))
        except (OSError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    with gr.Blocks(title="softhash demo", analytics_enabled=False) as page:
        gr.Markdown("# Nearest photos by binary codes")
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                photo = gr.Image(type="filepath", sources=["upload", "clipboard"], label="Photo", height=280)
                top_k = gr.Slider(1, demo.most, min(_RESULTS, demo.most), step=1, label="Number of results")
                limited = gr.Checkbox(label="Only within a radius")
                radius = gr.Slider(0, demo.bits, min(_RADIUS, demo.bits), step=1, label="Radius in bits")
                if examples := demo.write_examples(folder):
                    gr.Examples([[str(path)] for path in examples], photo, examples_per_page=_EXAMPLES)
            with gr.Column(scale=7):
                results = gr.HTML(_HINT, apply_default_css=False, elem_classes="softhash")
        inputs: list[Any] = [photo, top_k, limited, radius]
        gr.on(
            [one.change for one in inputs],
            show,
            inputs,
            results,
            trigger_mode="always_last",
            preprocess=False,  # so that broken photos get here, and are named
            api_visibility="private",
        )
        gr.Button(visible=False).click(answer, inputs, gr.JSON(visible=False), preprocess=False, api_name="search")
    return page


def style() -> str:
    """CSS of what is found."""
    return files("softhash.report").joinpath("demo.css").read_text(encoding="utf-8")


def _rows(neighbours: Neighbours) -> Iterator[tuple[str, float, list[str]]]:
    return zip(neighbours.names, neighbours.distances.tolist(), neighbours.labels, strict=True)


def _hits(neighbours: Neighbours, others: Mapping[str, Neighbours], top_k: int) -> list[Hit]:
    """The first ``top_k`` photos, and where other runs, by title, have them."""
    ranks = {title: {name: rank for rank, name in enumerate(other.names, 1)} for title, other in others.items()}
    return [
        Hit(
            rank,
            name,
            distance_text(distance),
            labels,
            [f"{title}, rank {places[name]}" for title, places in ranks.items() if name in places],
        )
        for rank, (name, distance, labels) in enumerate(islice(_rows(neighbours), top_k), 1)
    ]


def _described(retriever: Retriever) -> str:
    return f"{retriever.run.identity()['method']}, {retriever.index.collection.bits} bits"


def _count(neighbours: Neighbours, total: int, found: Found) -> str:
    """How many photos are found, and how far they are."""
    number = len(neighbours.names)
    if found.radius is None:
        return (
            f"The nearest {number:,} of {total:,} photos, up to {distance_text(neighbours.distances[-1].item())} away"
        )
    more = f"; the nearest {found.top_k} are shown" if number > found.top_k else ""
    return f"{number:,} of {total:,} photos are within {distance_text(found.radius)}{more}"


def _in_common(titles: str, found: Found) -> str:
    """How many photos runs have in common, and how many each finds alone."""
    if not titles:
        return ""
    names = [set(neighbours.names) for neighbours in found.by_run]
    counts = {"both" if len(names) == 2 else f"all {len(names)}": set.intersection(*names)}
    for place, title in enumerate(titles):
        counts[f"{title} alone"] = names[place].difference(*names[:place], *names[place + 1 :])
    texts = [f"by {who}: <b>{len(photos):,}</b>" for who, photos in counts.items()]
    return f'<p class="common">Found {", ".join(texts)}.</p>'


def _list(hits: Sequence[Hit], pictures: Files) -> str:
    """Hits with their pictures."""
    return f"<ol>{''.join(_item(hit, picture(pictures, hit.name, _SIDE)) for hit in hits)}</ol>"


def _item(hit: Hit, source: str | None) -> str:
    name = escape(shown(hit.name))
    image = f'<img alt="{name}" src="{source}">' if source else '<div class="none">no picture</div>'
    others = [f"<mark>also {other}</mark>" for other in hit.others]
    labels = [f"<i>{escape(', '.join(hit.labels))}</i>"] * bool(hit.labels)
    lines = [f"<b>{hit.rank}</b> {hit.distance}", *others, *labels, name.replace("/", "/<wbr>")]
    return f"<li{' class=common' * bool(others)}>{image}{''.join(f'<div>{line}</div>' for line in lines)}</li>"


def _table(hits: Sequence[Hit], *, several: bool) -> str:
    """Hits by name."""
    labels = any(hit.labels for hit in hits)
    head = ["rank", "name", "distance", *["labels"] * labels, *["also found by"] * several]
    lines = [
        [str(hit.rank), shown(hit.name), hit.distance]
        + [", ".join(hit.labels)] * labels
        + ["; ".join(hit.others)] * several
        for hit in hits
    ]
    body = "".join(_line(line, "td") for line in lines)
    return f"<table><thead>{_line(head, 'th')}</thead><tbody>{body}</tbody></table>"


def _line(texts: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(text)}</{tag}>' for text in texts)}</tr>"
