import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from softhash.report.demo_page import Demo, Found, style
from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.search.exact import Exact
from softhash.search.index import Neighbours, write_index
from softhash.search.retriever import Retriever

Make = Callable[..., Retriever]


def fake(method: str, names: list[str], bits: int = 12, gallery: dict[str, Any] | None = None) -> Any:
    """What the page reads of a retriever that is asked for nothing."""
    identity = {"run": f"/runs/{method}", "method": method, "checkpoint": "c0ffee"}
    run = SimpleNamespace(folder=Path("runs") / method, identity=lambda: identity, gallery=lambda: gallery or {})
    collection = Collection(np.zeros((len(names), 2), dtype=np.uint8), names, bits, identity)

    class Index(SimpleNamespace):
        def __len__(self) -> int:
            return len(names)

    return SimpleNamespace(run=run, index=Index(collection=collection, folder=Path("photos.index")))


def neighbours(**distances: float) -> Neighbours:
    names = list(distances)
    return Neighbours(names, np.array(list(distances.values())), [[] for _ in names], np.arange(len(names)))


NAMES = list("abcdefgh")
FIRST = neighbours(a=0, b=1, c=4)
SECOND = neighbours(c=0, d=2, a=3)


@pytest.fixture
def retriever(untrained: Callable[..., Run], photos: Path, tmp_path: Path) -> Retriever:
    """Of 42 photos, with the encoder of random weights."""
    run = untrained()
    names = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.jpg"))
    codes = run.encoder()(run.preprocessing()(*(photos / name for name in names))).database.numpy()
    write_index(Collection(codes, names, 12, run.identity()), Exact(), tmp_path / "index")
    return Retriever(run.folder, tmp_path / "index")


def test_an_indexed_photo_is_found_at_no_distance(retriever: Retriever, photos: Path) -> None:
    demo, name = Demo([retriever], str(photos)), retriever.index.collection.names[7]

    (answer,) = demo.answer(demo.search(photos / name, name, top_k=42))

    nearest = answer["neighbours"]
    assert {"name": name, "distance": 0, "labels": []} in nearest
    assert {hit["name"] for hit in nearest} == set(retriever.index.collection.names)
    assert [hit["distance"] for hit in nearest] == sorted(hit["distance"] for hit in nearest)
    assert answer["checkpoint"] == retriever.run.identity()["checkpoint"]


def test_a_radius_finds_all_that_are_near_and_shows_some(retriever: Retriever, photos: Path) -> None:
    demo, name = Demo([retriever], None), retriever.index.collection.names[0]
    codes = np.unpackbits(retriever.index.collection.codes, axis=1)
    near = int(((codes != codes[0]).sum(1) <= 4).sum())

    found = demo.search(photos / name, name, top_k=2, radius=4)

    assert near > 2
    assert demo.answer(found)[0]["total"] == near
    assert len(demo.answer(found)[0]["neighbours"]) == 2
    assert f"{near} of 42 photos are within 4 bits; the nearest 2 are shown" in demo.html(found)
    assert demo.html(found).count("<tr>") == 1 + 2  # the names of the columns first


def test_a_broken_photo_is_called_what_the_user_calls_it(retriever: Retriever, tmp_path: Path) -> None:
    (tmp_path / "0123abcd").write_bytes(b"\xff\xd8\xff\xe0 half of a photo")

    with pytest.raises(ValueError, match=r"^cat\.jpg cannot be read as a photo: "):
        Demo([retriever], None).search(tmp_path / "0123abcd", "cat.jpg", top_k=5)


@pytest.mark.parametrize("top_k", [0, 43, 2.5, "x", None])
def test_a_number_of_results_that_cannot_be_is_refused(retriever: Retriever, top_k: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="top_k must be"):
        Demo([retriever], None).search(tmp_path / "any", "any", top_k)


def test_what_runs_have_in_common_is_counted_and_marked_with_the_rank() -> None:
    demo = Demo([fake("idhn", NAMES), fake("itq", NAMES)], None)

    html = demo.html(Found([FIRST, SECOND], top_k=3, radius=None))

    # a and c are in both lists; b is in the first alone, d in the second alone
    assert "Found by both: <b>2</b>, by A alone: <b>1</b>, by B alone: <b>1</b>." in html
    first, second = html.split("<section>")[1:]
    assert "<h3>A: idhn, 12 bits</h3>" in first
    assert "<tr><td>1</td><td>a</td><td>0 bits</td><td>B, rank 3</td></tr>" in first
    assert "<tr><td>2</td><td>b</td><td>1 bit</td><td></td></tr>" in first
    assert "<tr><td>1</td><td>c</td><td>0 bits</td><td>A, rank 3</td></tr>" in second
    assert "The nearest 3 of 8 photos, up to 4 bits away" in first


def test_three_runs_say_what_all_of_them_find() -> None:
    demo = Demo([fake("idhn", NAMES), fake("itq", NAMES), fake("dqn", NAMES)], None)

    html = demo.html(Found([FIRST, SECOND, neighbours(a=-1.5, h=0.25)], top_k=3, radius=None))

    assert "Found by all 3: <b>1</b>, by A alone: <b>1</b>, by B alone: <b>1</b>, by C alone: <b>1</b>." in html
    assert "B, rank 3; C, rank 1" in html
    assert "<td>-1.500</td>" in html  # a distance of its own has no unit


def test_one_run_is_not_compared() -> None:
    html = Demo([fake("idhn", NAMES)], None).html(Found([FIRST], top_k=3, radius=None))

    assert "<h3>idhn, 12 bits</h3>" in html
    assert "Found by" not in html
    assert "also found by" not in html


def test_nothing_within_a_radius_is_said() -> None:
    html = Demo([fake("idhn", NAMES)], None).html(Found([neighbours()], top_k=3, radius=1))

    assert "0 of 8 photos are within 1 bit</p>" in html


def test_pictures_come_with_ranks_distances_and_labels_and_missing_ones_are_said(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6), "red").save(tmp_path / "a", "PNG")
    found = Neighbours(["a", "b/c"], np.array([0, 1]), [["sky", "sea"], []], np.arange(2))

    html = Demo([fake("idhn", NAMES)], str(tmp_path)).html(Found([found], top_k=2, radius=None))

    first, second = html.split("<li>")[1:]
    assert '<img alt="a" src="data:image/webp;base64,' in first
    assert "<div><b>1</b> 0 bits</div><div><i>sky, sea</i></div><div>a</div>" in first
    assert "no picture" in second
    assert "<div><b>2</b> 1 bit</div><div>b/<wbr>c</div>" in second


@pytest.mark.parametrize("with_pictures", [True, False])
def test_names_and_labels_are_no_markup(with_pictures: bool, tmp_path: Path) -> None:
    evil = "<img src=x>"
    (tmp_path / "a").touch()
    found = Neighbours([evil, "a\udcff"], np.array([0, 1]), [[evil], []], np.arange(2))
    demo = Demo([fake(evil, NAMES)], str(tmp_path) if with_pictures else None)

    html = demo.html(Found([found], top_k=2, radius=None))

    assert evil not in html
    assert html.count("&lt;img src=x&gt;") >= 4  # name, label, method, folder
    html.encode()  # bytes of names that are no text have been escaped


def test_photos_to_choose_from_are_the_files_of_the_index_unchanged(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    Image.new("RGB", (8, 6), "red").save(tmp_path / "red.jpg")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "red.jpg", "one/red.jpg")
        archive.write(tmp_path / "red.jpg", "two/red.jpg")
        archive.writestr("broken.jpg", b"half")
    demo = Demo([fake("idhn", ["broken.jpg", "gone.jpg", "one/red.jpg", "two/red.jpg"])], str(tmp_path / "photos.zip"))

    examples = demo.write_examples(tmp_path / "out")

    assert [path.name for path in examples] == ["red.jpg", "red.jpg"]
    assert {path.read_bytes() for path in examples} == {(tmp_path / "red.jpg").read_bytes()}


def test_without_photos_one_chooses_from_the_queries_of_the_run(tmp_path: Path) -> None:
    thumbnails = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
    demo = Demo([fake("idhn", NAMES, gallery={"query_images": thumbnails})], None)

    first, second = demo.write_examples(tmp_path)

    np.testing.assert_array_equal(np.asarray(Image.open(first)).transpose(2, 0, 1), thumbnails[0])
    np.testing.assert_array_equal(np.asarray(Image.open(second)).transpose(2, 0, 1), thumbnails[1])
    assert Demo([fake("idhn", NAMES)], None).write_examples(tmp_path) == []


def test_photos_of_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.jpg").touch()

    with pytest.raises(FileNotFoundError, match=r"has none of the photos of photos.index: a, b, c.*\n.*were encoded"):
        Demo([fake("idhn", NAMES)], str(tmp_path))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        Demo([fake("idhn", NAMES)], str(tmp_path / "none"))


def test_the_style_loads_nothing() -> None:
    assert not any(loader in style() for loader in ("@import", "url(", "http"))
