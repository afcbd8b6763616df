import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softhash.runs.folder import Run
from softhash.study.collect import Cell, Choice, Study, collect
from softhash.study.compare import rank
from softhash.study.curves import mean_curves
from softhash.study.diagram import critical_difference_diagram
from softhash.study.figures import SUFFIXES, shown_methods, write_figures
from softhash.study.table import Style, table_blocks

WriteRun = Callable[..., Run]


def test_curves_are_averaged_over_seeds(write_run: WriteRun, runs: str) -> None:
    for seed in (0, 1):
        run = write_run("idhn", seed)
        run.write_curves({**run.curves(), "idhn/rank_precision": np.array([0.5, 0.25, 0.0]) + seed / 2})

    curves, notes = mean_curves(collect([runs], Choice()), ["idhn"])

    assert curves[Cell("toy", "idhn", 16)]["rank_precision"].tolist() == [0.75, 0.5, 0.25]
    assert set(curves) == {Cell("toy", "idhn", 16)}
    assert notes == []


def test_curves_that_cannot_be_read_are_noted(write_run: WriteRun, runs: str) -> None:
    run = write_run("idhn")
    (run.folder / "curves.npz").write_bytes(b"no zip")

    curves, notes = mean_curves(collect([runs], Choice()), ["idhn"])

    assert curves == {}
    assert str(run.folder) in notes[0]


def test_of_many_methods_figures_have_the_first_and_chance(write_run: WriteRun, runs: str) -> None:
    for number in range(12):
        write_run(f"m{number:02}", values=[0.9 - number / 100] * 4)

    shown = shown_methods(collect([runs], Choice()))

    assert shown == [*(f"m{number:02}" for number in range(10)), "chance"]


@pytest.mark.slow
def test_every_figure_is_written_in_every_format(study: Study, style: Style, tmp_path: Path) -> None:
    ranks = rank(study, "mAP", "cells", 0.05)
    assert ranks is not None
    curves, _ = mean_curves(study, study.methods)

    folder = tmp_path / "figures"

    captions = write_figures(folder, study, table_blocks(study, [], style), curves, [ranks])

    assert set(captions) == {
        "by-bits-mAP", "by-bits-NDCG-4", "precision-recall-toy", "precision-at-toy", "ranks-mAP",
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == {f"{name}{suffix}" for name in captions for suffix in SUFFIXES}
    for name in captions:
        with Image.open(folder / f"{name}.png") as picture:
            assert picture.width > 400
            assert len(np.unique(np.asarray(picture.convert("L")))) > 10  # not blank
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert ET.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")  # noqa: S314


def test_the_diagram_shows_every_method_and_joins_what_does_not_differ(study: Study) -> None:
    ranks = rank(study, "mAP", "cells", 0.05)
    assert ranks is not None

    figure = critical_difference_diagram(ranks)

    (axes,) = figure.axes
    words = " ".join(text.get_text() for text in axes.texts)
    assert "mine (1.00)" in words
    assert "(4.00) LSH (before training)" in words
    bars = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 3]
    # ranks 1, 2, 3, 4 and a difference of 2.35: first to third, second to fourth
    assert [np.round(bar).tolist() for bar in bars] == [[1, 3], [2, 4]]


def test_code_lengths_are_not_drawn_where_there_is_one(
    write_run: WriteRun, runs: str, style: Style, tmp_path: Path
) -> None:
    write_run("mine")
    study = collect([runs], Choice(methods=["mine"]))

    captions = write_figures(tmp_path, study, table_blocks(study, [], style), {}, [])

    assert set(captions) == {"precision-recall-toy", "precision-at-toy"}
