import csv
import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from softhash.tuning.report import Found, page, spreadsheet, write_report
from softhash.tuning.space import Choice, Interval
from softhash.tuning.trials import COMPLETE, FAILED, PRUNED, RUNNING, Tried

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SPACE = {"optimizer.lr": Interval(0.001, 1.0, log=True), "similarity": Choice(("share", "cosine"))}
TRIALS = [
    Tried(0, COMPLETE, {"optimizer.lr": "0.01", "similarity": "share"}, {0: 0.3, 1: 0.5, 2: 0.4}, 60.0, ""),
    Tried(1, PRUNED, {"optimizer.lr": "0.002", "similarity": "cosine"}, {0: 0.2}, 20.0, ""),
    Tried(2, FAILED, {"optimizer.lr": "0.9", "similarity": "share"}, {}, 5.0, "<b>not</b> finite,\nat step 3"),
    Tried(3, COMPLETE, {"optimizer.lr": "0.02", "similarity": "cosine"}, {0: 0.4, 1: 0.7}, 60.0, ""),
    Tried(4, RUNNING, {"optimizer.lr": "0.03", "similarity": "cosine"}, {}, None, ""),
]
COMMAND = "softhash train method=mine 'name=a <b>' optimizer.lr=0.02 similarity=cosine"


@pytest.fixture
def found() -> Found:
    shares = {"similarity": 0.75, "optimizer.lr": 0.25}
    return Found("mine on toy, 8 bits", "validation/mAP", COMMAND, SPACE, TRIALS, shares, {"seed": "0"})


def test_every_trial_is_a_line_of_the_spreadsheet(found: Found) -> None:
    lines = list(csv.DictReader(spreadsheet(found).splitlines(keepends=True)))

    assert [line["trial"] for line in lines] == ["0", "1", "2", "3", "4"]
    assert [line["state"] for line in lines] == [COMPLETE, PRUNED, FAILED, COMPLETE, RUNNING]
    assert [line["validation/mAP"] for line in lines] == ["0.5", "0.2", "", "0.7", ""]
    assert [line["epochs"] for line in lines] == ["3", "1", "0", "2", "0"]
    assert lines[1]["similarity"] == "cosine"
    assert lines[2]["error"] == "<b>not</b> finite,\nat step 3"


def test_the_page_has_everything_inside(found: Found, tmp_path: Path) -> None:
    path = write_report(found, tmp_path)

    text = path.read_text(encoding="utf-8")
    assert {picture.name for picture in (tmp_path / "figures").iterdir()} == {
        "history.png",
        "importance.png",
        "slices.png",
        "curves.png",
    }
    sources = re.findall(r'\ssrc="([^"]*)', text)
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    for loader in ("<link", "@import", "url(", "fetch(", "XMLHttpRequest", "http://", "https://"):
        assert loader not in text


def test_the_page_says_what_is_best_and_how_to_train_it(found: Found) -> None:
    text = page(found, {})

    assert "2 complete, 1 pruned, 1 failed, 1 running" in text
    assert f'<pre class="commands">{html.escape(COMMAND)}</pre>' in text
    assert "<dt>trial</dt><dd>3</dd>" in text
    assert "<dd>0.7000</dd>" in text
    assert "<b>not</b>" not in text
    assert "&lt;b&gt;not&lt;/b&gt; finite," in text


def test_a_search_without_a_complete_trial_has_a_page(found: Found, tmp_path: Path) -> None:
    nothing = Found(found.heading, found.monitor, "", SPACE, TRIALS[2:3], {}, {})

    text = write_report(nothing, tmp_path).read_text(encoding="utf-8")

    assert "No trial is complete." in text
    assert not (tmp_path / "figures" / "importance.png").exists()


def test_a_figure_that_can_no_longer_be_told_is_gone(found: Found, tmp_path: Path) -> None:
    write_report(found, tmp_path)

    write_report(Found(found.heading, found.monitor, "", SPACE, TRIALS[:1], {}, {}), tmp_path)

    assert sorted(picture.stem for picture in (tmp_path / "figures").iterdir()) == ["curves", "history", "slices"]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_a_browser_sorts_the_trials(found: Found, tmp_path: Path) -> None:
    path = write_report(found, tmp_path)
    click = "<script>document.querySelectorAll('th button')[2].click()</script></body>"
    path.write_text(path.read_text(encoding="utf-8").replace("</body>", click), encoding="utf-8")

    shown = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    table = shown[shown.index("Trials</h2>") :]
    values = [html.unescape(value) for value in re.findall(r'data-value="[\d.]+"><span>([\d.]+)</span>', table)]
    assert values == ["0.7000", "0.5000", "0.2000"]
