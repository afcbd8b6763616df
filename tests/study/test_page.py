import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from softhash.runs.folder import Run
from softhash.study.collect import Choice, Study, collect
from softhash.study.compare import compare, rank
from softhash.study.page import page
from softhash.study.published import Published, beside
from softhash.study.table import Style, table_blocks

WriteRun = Callable[..., Run]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def page_of(study: Study, style: Style, folder: Path) -> str:
    comparisons = compare(study, style.reference, style.test)
    ranks = [one for metric in study.metrics if (one := rank(study, metric, "cells", 0.05))]
    numbers = [Published("mine", "toy", 16, "mAP", 0.812, "a protocol", "a source")]
    blocks = table_blocks(study, comparisons, style)
    return page(study, blocks, comparisons, ranks, beside(study, numbers), style, {}, folder)


def test_the_page_loads_nothing_from_elsewhere(study: Study, style: Style, tmp_path: Path) -> None:
    text = page_of(study, style, tmp_path / "out")

    assert "default-src 'none'; img-src data:" in text
    for loader in ("<link", "@import", "url(", 'http-equiv="refresh', "fetch(", "XMLHttpRequest"):
        assert loader not in text
    assert all(source.startswith("data:") for source in re.findall(r'\ssrc="([^"]*)', text))
    assert set(re.findall(r"https?://[^\s\"']*", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_every_seed_leads_to_the_page_of_its_run_by_a_relative_link(study: Study, style: Style, tmp_path: Path) -> None:
    text = page_of(study, style, tmp_path / "out")

    links = {html.unescape(link) for link in re.findall(r'<a href="([^"#]*)">\d+</a>', text)}
    assert len(links) == 3 * 2 * 2  # own methods, lengths and seeds; baselines lead to one of these
    assert all(link.startswith("../runs/toy/") for link in links)
    assert all((tmp_path / "out" / link).resolve().is_file() for link in links)


def test_a_run_without_a_page_is_no_link(write_run: WriteRun, runs: str, style: Style, tmp_path: Path) -> None:
    write_run("mine").page.unlink()

    text = page_of(collect([runs], Choice()), style, tmp_path / "out")

    assert 'index.html">' not in text


def test_names_are_no_markup(write_run: WriteRun, runs: str, style: Style, tmp_path: Path) -> None:
    write_run("mine", overrides=["x=</script><script>alert(1)</script>"])
    write_run("mine", 1, overrides=["x='<img src=x onerror=alert(1)>'"])

    text = page_of(collect([runs], Choice()), style._replace(reference=None), tmp_path / "out")

    assert text.count("<script") == 2  # the data, and the script
    assert "<img src=x" not in text
    stored = json.loads(re.search(r'id="queries">(.*?)</script>', text)[1])
    assert "mine x=</script><script>alert(1)</script>" in stored["scores"]["toy, 16 bits"]


@pytest.mark.usefixtures("study")
def test_what_is_left_out_stands_on_the_page(write_run: WriteRun, runs: str, style: Style, tmp_path: Path) -> None:
    broken = write_run("broken")
    (broken.folder / "run.json").write_text("[]")

    text = page_of(collect([runs], Choice()), style, tmp_path / "out")

    assert "Left out: 1" in text
    assert f"{broken.folder}/run.json is damaged" in html.unescape(text)


DRIVER = """
<script>
const read = (table) => [...table.tBodies[0].rows].filter((row) => !row.hidden)
  .map((row) => row.cells[1].textContent + " " + row.cells[2].textContent);
const results = document.querySelector("table.results");
const answers = {};
const click = (column) => results.tHead.rows[0].cells[column].querySelector("button").click();
const type = (field, value, event) => { field.value = value; field.dispatchEvent(new Event(event, { bubbles: true })); };
click(4); answers.best = read(results)[0]; answers.sort = results.tHead.rows[0].cells[4].getAttribute("aria-sort");
click(4); answers.worst = read(results)[0];
click(1); answers.byName = read(results)[0];
const bar = results.parentElement.querySelector(".filters");
type(bar.querySelector("select"), "32", "change"); answers.of32 = read(results).length;
type(bar.querySelector("input"), "OTHER", "input"); answers.found = read(results);
answers.count = bar.querySelector("output").textContent;
const [on, by, first, second] = document.querySelectorAll("#compare select");
answers.shown = [on.value, by.value, first.value, second.value];
type(second, "third", "change");
answers.verdict = document.getElementById("verdict").textContent;
answers.pictures = document.querySelectorAll("#compare .found img").length;
answers.firstWin = document.querySelector("#compare tbody tr td:nth-child(2)").textContent;
type(on, "toy, 32 bits", "change");
answers.kept = [first.value, second.value];
document.title = JSON.stringify(answers);
</script>
"""


@pytest.mark.usefixtures("runs")
@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")
def test_a_browser_sorts_filters_and_compares(study: Study, style: Style, tmp_path: Path) -> None:
    run = next(
        source.run for cell, sources in study.cells.items() for source in sources.values() if cell[1:] == ("mine", 16)
    )
    run.write_gallery(
        query_rows=np.array([5]),
        neighbour_rows=np.array([[1, 2]]),
        query_images=np.zeros((1, 3, 8, 8), dtype=np.uint8),
        neighbour_images=np.full((1, 2, 3, 8, 8), 99, dtype=np.uint8),
        distances=np.array([[0, 3]]),
    )
    path = tmp_path / "index.html"
    path.write_text(page_of(study, style, tmp_path).replace("</body>", f"{DRIVER}</body>"), encoding="utf-8")

    result = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )  # fmt: skip

    title = re.search(r"<title>(.*?)</title>", result.stdout, re.DOTALL)
    assert title is not None, result.stderr[-1000:]
    answers = json.loads(html.unescape(title[1]))
    assert answers["best"] == "mine 32"
    assert answers["sort"] == "descending"
    assert answers["worst"].startswith("chance")
    assert answers["byName"].startswith("chance")
    assert answers["of32"] == 5
    assert answers["found"] == ["other 32"]
    assert answers["count"] == "1 of 10"
    assert answers["shown"] == ["toy, 16 bits", "mAP", "mine", "other"]
    # mine is above third by 0.2 + 0.02 * (0, ..., 5): mean 0.25, most for the last query
    assert answers["verdict"] == (
        "mine is higher for 6 of 6 queries (100 %), third for 0 (0 %); mean difference +0.2500."
    )
    assert answers["firstWin"].startswith("toy-q5")
    assert answers["pictures"] == 3
    assert answers["kept"] == ["mine", "third"]
