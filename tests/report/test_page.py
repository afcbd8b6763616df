import csv
import inspect
import pkgutil
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance
from softhash.report import figures
from softhash.report.page import all_figures, pictures, write_page
from softhash.report.tables import duration
from softhash.runs.folder import Run
from softhash.runs.measure import measure

PICTURES = {"gallery", "worst", "loss", "validation"}  # figures of images and training, which a bare run lacks


@pytest.fixture
def complete(logged: Run) -> Run:
    """A run with logs, configuration and a gallery of two queries."""
    for name in ("gallery", "worst"):
        logged.write_gallery(
            name,
            query_rows=np.array([0, 5]),
            neighbour_rows=np.array([[1, 2, 3], [4, 5, 6]]),
            query_images=np.zeros((2, 3, 8, 8), dtype=np.uint8),
            neighbour_images=np.zeros((2, 3, 3, 8, 8), dtype=np.uint8),
            distances=np.array([[0, 1, 1], [2, 2, 3]]),
        )
    logged.write_config("bits: 8\nname: <script>alert(1)</script>\n")
    return logged


def page_of(run: Run) -> str:
    return write_page(run).read_text()


def test_every_module_of_figures_is_on_the_page_once() -> None:
    modules = {module.name for module in pkgutil.iter_modules(figures.__path__)}

    assert {inspect.getmodule(type(figure)).__name__.rpartition(".")[2] for figure in all_figures()} == modules
    assert [figure.name for figure in all_figures()] == [
        "gallery", "worst", "precision_recall", "precision_at", "breakdown", "confusion", "distances", "bits",
        "quantization", "neighbourhoods", "loss", "validation",
    ]  # fmt: skip
    assert len({figure.order for figure in all_figures()}) == len(modules)


def test_the_page_holds_every_number(run: Run) -> None:
    page = page_of(run)

    for scores in run.result().scores.values():
        for value in scores.values():
            assert f"<strong>{value['expected']:.4f}</strong>" in page
            assert f"{value['worst']:.4f} to {value['best']:.4f}" in page


def test_the_page_loads_nothing_from_elsewhere(complete: Run) -> None:
    page = page_of(complete)

    sources = re.findall(r'src\s*=\s*"([^"]{0,30})', page)
    assert len(sources) == 10 + 2 * 2 * (1 + 3)  # plots, and twice two queries with their three neighbours
    assert all(source.startswith(("data:image/png;base64,", "data:image/webp;base64,")) for source in sources)
    for loader in ("url(", "@import", "http://", "https://", "<script", "<link"):
        assert loader not in page


def test_every_figure_is_written_as_a_picture(complete: Run) -> None:
    write_page(complete)

    assert list(pictures(complete)) == [figure.name for figure in all_figures()]
    for path in pictures(complete).values():
        with Image.open(path) as picture:
            assert picture.width > 500
            assert len(np.unique(np.asarray(picture.convert("L")))) > 10  # not blank


def test_what_a_run_lacks_is_left_out(run: Run) -> None:
    page = page_of(run)

    assert set(pictures(run)) == {figure.name for figure in all_figures()} - PICTURES
    assert page.count("<figure") == len(all_figures()) - len(PICTURES)
    assert "<h2>Training</h2>" not in page
    assert "<h2>What it finds</h2>" not in page
    assert "Configuration" not in page
    assert "<li>gallery: the run folder has no pictures</li>" in page
    assert "<li>loss: nothing was trained by gradient</li>" in page


def test_every_figure_leads_to_its_picture_and_its_numbers_also_where_the_folder_is_moved(
    complete: Run, tmp_path: Path
) -> None:
    write_page(complete)
    moved = complete.folder.rename(tmp_path / "elsewhere # 100%")

    links = re.findall(r'<a href="([^"]*)">(PNG|CSV)</a>', (moved / "index.html").read_text())

    assert links == [
        (f"figures/{figure.name}.{kind.lower()}", kind) for figure in all_figures() for kind in ("PNG", "CSV")
    ]
    for link, kind in links:
        content = (moved / link).read_bytes()
        if kind == "PNG":
            assert content.startswith(b"\x89PNG")
        else:
            header, *lines = csv.reader(content.decode().splitlines())
            assert len(set(header)) == len(header)
            assert lines
            assert all(len(line) == len(header) for line in lines)


def test_data_with_similarities_have_the_figures_that_need_no_labels(complete: Run) -> None:
    grades = np.random.default_rng(0).random((20, 60), dtype=np.float32) * (np.arange(60) % 3 == 0)
    complete.write_relevance(MatrixRelevance(grades), *complete.ids())
    complete.forget_measures()
    measure(complete, [MeanAveragePrecision()]).write(complete)

    page = page_of(complete)

    assert set(pictures(complete)) == {figure.name for figure in all_figures()} - {
        "breakdown", "confusion", "quantization",
    }  # fmt: skip
    assert page.count("there are similarities in place of labels</li>") == 3


def test_tables_of_queries_have_the_figures_that_need_no_signs(complete: Run) -> None:
    codes = complete.codes("mine")
    tables = torch.rand(20, 1, 256, generator=torch.Generator().manual_seed(0))
    complete.write_codes("mine", codes._replace(query=tables, relaxed=torch.rand(60, 5)))
    complete.write_record(replace(complete.record(), methods=complete.record().methods[:1]))
    complete.forget_measures()
    measure(complete, [MeanAveragePrecision()]).write(complete)

    page = page_of(complete)

    assert {figure.name for figure in all_figures()} - set(pictures(complete)) == {
        "precision_recall", "distances", "quantization",
    }  # fmt: skip
    assert "quantization: no codes are the signs of relaxed ones, or there are too few of them" in page


def test_a_picture_of_what_is_no_longer_there_is_deleted(run: Run) -> None:
    run.picture("loss").parent.mkdir()
    run.picture("loss").write_bytes(b"old")
    run.numbers("loss").write_bytes(b"old")

    write_page(run)

    assert "loss" not in pictures(run)
    assert not run.numbers("loss").exists()


def test_dollar_signs_in_names_are_no_formulas(complete: Run) -> None:
    relevance = complete.relevance
    assert isinstance(relevance, LabelRelevance)
    names = ["100$ \\bad $", "$x_1$", "tree"]
    ids = np.array(["q"] * 20), np.array(["d"] * 60)
    complete.write_relevance(LabelRelevance(relevance.query_labels, relevance.database_labels, names), *ids)
    complete.write_record(replace(complete.record(), method="$\\bad$"))

    assert "100$ \\bad $" in page_of(complete)


def test_names_are_escaped(complete: Run) -> None:
    for file in ("run.json", "metrics.json"):
        path = complete.folder / file
        path.write_text(path.read_text().replace('"toy"', '"<i>toy</i>"').replace('"abc"', '"<i>abc</i>"'))

    page = page_of(complete)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for raw in ("<script", "<b>dog", "<i>toy", "<i>abc"):
        assert raw not in page


def test_the_page_says_how_to_do_it_again(complete: Run) -> None:
    complete.write_record(replace(complete.record(), overrides=["epochs=2", "head.hidden=[8]"]))

    page = page_of(complete)

    assert f"softhash evaluate run={complete.folder}" in page
    assert "softhash train method=mine data=toy bits=8 seed=3 epochs=2 &#x27;head.hidden=[8]&#x27;" in page
    assert "c0ffee" * 8 in page


def test_times_are_written_for_people(run: Run) -> None:
    run.write_record(replace(run.record(), seconds={"training": 413.7, "encoding": 4.4}))

    page = page_of(run)

    assert "<b>training time</b>6 min 54 s</li>" in page
    assert "<b>encoding time</b>4 s</li>" in page
    assert [duration(seconds) for seconds in (4.4, 59.7, 7260)] == ["4 s", "1 min 0 s", "2 h 1 min"]
