import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softhash.report.page import _duration, figures, write_page
from softhash.runs.folder import read_json, write_arrays, write_json


@pytest.fixture
def complete(logged: Path) -> Path:
    """A run with logs, configuration and a gallery of two queries."""
    labels = np.load(logged / "codes" / "labels.npz")
    changed = {name: labels[name] for name in labels.files}
    changed["query_labels"][0] = [1, 1, 0]
    changed["database_labels"][[1, 2]] = [[1, 0, 1], [0, 0, 1]]
    write_arrays(logged / "codes" / "labels.npz", **changed)
    write_arrays(
        logged / "gallery.npz",
        query_rows=np.array([0, 5]),
        neighbour_rows=np.array([[1, 2, 3], [4, 5, 6]]),
        query_images=np.zeros((2, 3, 8, 8), dtype=np.uint8),
        neighbour_images=np.zeros((2, 3, 3, 8, 8), dtype=np.uint8),
        distances=np.array([[0, 1, 1], [2, 2, 3]]),
    )
    (logged / "config.yaml").write_text("bits: 8\nname: <script>alert(1)</script>\n")
    return logged


def test_the_page_holds_every_number(run: Path) -> None:
    page = write_page(run).read_text()

    for values in read_json(run / "metrics.json")["rows"].values():
        for value in values.values():
            assert f"<strong>{value['expected']:.4f}</strong>" in page
            assert f"{value['worst']:.4f} to {value['best']:.4f}" in page


def test_the_page_loads_nothing_from_elsewhere(complete: Path) -> None:
    page = write_page(complete).read_text()

    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]{0,30})', page)
    assert len(sources) == 6 + 2 * (1 + 3)  # plots, and each query with its three neighbours
    assert all(source.startswith(("data:image/png;base64,", "data:image/webp;base64,")) for source in sources)
    for loader in ("url(", "@import", "http://", "https://", "<script", "<link"):
        assert loader not in page


def test_every_figure_is_written_as_a_picture(complete: Path) -> None:
    write_page(complete)

    found = figures(complete)
    assert set(found) == {"gallery", "precision_recall", "precision_at", "distances", "bits", "loss", "validation"}
    for path in found.values():
        with Image.open(path) as picture:
            assert picture.width > 500
            assert len(np.unique(np.asarray(picture.convert("L")))) > 10  # not blank


def test_what_a_run_lacks_is_left_out(run: Path) -> None:
    page = write_page(run).read_text()

    assert set(figures(run)) == {"precision_recall", "precision_at", "distances", "bits"}
    assert page.count("<figure") == 4
    assert "<h2>Training</h2>" not in page
    assert "<h2>What it finds</h2>" not in page
    assert "Configuration" not in page


def test_the_gallery_marks_shared_labels_and_images_that_share_none(complete: Path) -> None:
    page = write_page(complete).read_text()

    items = re.findall(
        r'<div class="(query|miss|)"><img alt="[^"]*" src="[^"]*"><small>([^<]*)</small><p>(.*?)</p>', page
    )
    assert items[:3] == [
        ("query", "query", "<b>cat</b> <b>&lt;b&gt;dog&lt;/b&gt;</b>"),
        ("", "0 bits", "<b>cat</b> tree"),
        ("miss", "1 bit", "tree"),
    ]


def test_names_are_escaped(complete: Path) -> None:
    for file in ("run.json", "metrics.json"):
        text = (complete / file).read_text().replace('"toy"', '"<i>toy</i>"').replace('"abc"', '"<i>abc</i>"')
        (complete / file).write_text(text)

    page = write_page(complete).read_text()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for raw in ("<script", "<b>dog", "<i>toy", "<i>abc"):
        assert raw not in page


def test_the_page_says_how_to_do_it_again(complete: Path) -> None:
    result = read_json(complete / "metrics.json")
    write_json(complete / "metrics.json", {**result, "overrides": ["epochs=2", "head.hidden=[8]"]})

    page = write_page(complete).read_text()

    assert f"softhash evaluate run={complete}" in page
    assert "softhash train method=mine data=toy bits=8 seed=3 epochs=2 &#x27;head.hidden=[8]&#x27;" in page
    assert "c0ffee" * 8 in page


def test_the_time_is_written_for_people(run: Path) -> None:
    write_json(run / "run.json", {**read_json(run / "run.json"), "seconds": 413.7})

    assert "<b>time</b>6 min 54 s</li>" in write_page(run).read_text()
    assert [_duration(seconds) for seconds in (4.4, 59.7, 7260)] == ["4 s", "1 min 0 s", "2 h 1 min"]


def test_where_there_are_no_labels_the_gallery_says_how_similar_images_are(complete: Path) -> None:
    labels = dict(np.load(complete / "codes" / "labels.npz"))
    unlabelled = {"query_labels": labels["query_labels"][:, :0], "database_labels": labels["database_labels"][:, :0]}
    write_arrays(complete / "codes" / "labels.npz", **labels | unlabelled | {"class_names": np.array([], np.str_)})
    relevance = np.zeros((20, 60), dtype=np.float32)
    relevance[0, [1, 2, 3]] = [0.25, 0, 1]
    write_arrays(complete / "codes" / "relevance.npz", relevance=relevance)

    page = write_page(complete).read_text()

    items = re.findall(r'<div class="(query|miss|)"><img alt="" src="[^"]*"><small>([^<]*)</small><p></p>', page)
    assert items[:3] == [("query", "query"), ("", "0 bits, 0.25"), ("miss", "1 bit, 0.00")]
