"""What is written of a study as text: Markdown, CSV and LaTeX."""

import csv
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from softhash.runs.folder import Run
from softhash.study import latex, spreadsheets
from softhash.study.collect import Choice, Study, collect
from softhash.study.compare import compare, rank
from softhash.study.markdown import markdown
from softhash.study.published import Published, beside
from softhash.study.table import Style, table_blocks

WriteRun = Callable[..., Run]
NUMBERS = [
    Published("mine", "toy", 16, "mAP", 0.812, "1,000 query; AlexNet", "Somebody & Co., 2020"),
    Published("mine", "toy", 64, "mAP", 0.9, "another length", "Nobody"),
    Published("mine", "voc", 16, "mAP", 0.9, "another data set", "Nobody"),
    Published("other", "toy", 16, "mAP@5000", 0.7, "best epoch", "Elsewhere"),
]
HOSTILE = "50%_$x$ & <b> {~^} \\input{/etc/passwd} # | *"


def texts(study: Study, style: Style) -> tuple[str, str]:
    """Markdown and LaTeX."""
    comparisons = compare(study, style.reference, style.test)
    ranks = [one for metric in study.metrics if (one := rank(study, metric, "cells", 0.05))]
    arguments = (study, table_blocks(study, comparisons, style), comparisons, ranks, beside(study, NUMBERS), style)
    return markdown(*arguments), latex.tables(*arguments)


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_markdown_has_means_deviations_emphasis_and_marks(study: Study, style: Style) -> None:
    text, _ = texts(study, style)

    # mine at 16 bits: 0.6 + 0.016 + 0.05 and 0.01 more; the deviation of 0 and 0.01 is 0.01 / sqrt(2)
    assert "| mAP | seeds | 16 bits | 32 bits |\n| --- | ---: | ---: | ---: |\n" in text
    assert "| mine | 2 | **0.6710 ± 0.0071** | **0.6870 ± 0.0071** |" in text
    assert r"| other | 2 | *0.5210 ± 0.0071* \* | *0.5370 ± 0.0071* \* |" in text
    assert r"| chance | 2 | 0.1250 ± 0.0000 | 0.1250 ± 0.0000 |" in text


@pytest.mark.usefixtures("study")
def test_markdown_names_what_is_left_out_and_why(write_run: WriteRun, runs: str, style: Style) -> None:
    broken = write_run("broken")
    (broken.folder / "metrics.json").write_text("{")

    text, _ = texts(collect([runs], Choice()), style)

    assert "## Left out: 1" in text
    assert f"- `{broken.folder}`: {broken.folder}/metrics.json is damaged" in text


def test_published_numbers_stand_beside_ours_with_their_protocol(study: Study, style: Style) -> None:
    text, table = texts(study, style)

    assert "| toy | mine | mAP | Somebody & Co., 2020 | 1,000 query; AlexNet | 0.8120 |" in text
    assert "| toy | mine | mAP | ours | above | 0.6710 |" in text
    assert "| toy | other | mAP@5000 | Elsewhere | best epoch | 0.7000 |" in text
    assert "Nobody" not in text
    assert r"toy & mine & mAP & a & 0.8120 \\" in table
    assert r"\par a: Somebody \& Co., 2020; 1,000 query; AlexNet." in table


def test_latex_has_bold_underlined_marks_and_the_protocol(study: Study, style: Style) -> None:
    _, table = texts(study, style)

    assert (
        r"mine & \textbf{0.6710}\,{\scriptsize$\pm$\,0.0071} & \textbf{0.6870}\,{\scriptsize$\pm$\,0.0071} \\" in table
    )
    assert r"other & \underline{0.5210}\,{\scriptsize$\pm$\,0.0071}\rlap{$^{*}$}" in table
    assert "toy: 6 queries against 9 images, 40 to train on; protocol c0ffeec0." in table
    assert r"over 2 seeds" in table
    for command in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert command in table
    assert "|" not in table.replace("$|$", "")  # no vertical rules


def test_one_seed_has_no_deviation(write_run: WriteRun, runs: str, style: Style) -> None:
    write_run("mine", values=[0.5, 0.25])

    text, table = texts(collect([runs], Choice()), style)

    assert "| mine | 1 | **0.3750** |" in text
    assert "over 1 seed," in table
    assert "deviation" not in table


def test_long_tables_are_parted_between_metrics(write_run: WriteRun, runs: str, style: Style) -> None:
    for number in range(23):
        write_run(f"m{number}", values={"mAP": [0.5, 0.25], "WAP": [0.5, 0.25]})

    _, table = texts(collect([runs], Choice()), style._replace(reference=None))

    assert r"\label{tab:results-toy-1}" in table
    assert r"\label{tab:results-toy-2}" in table


def test_the_long_sheet_has_every_number_of_every_seed(study: Study) -> None:
    lines = lines_of(spreadsheets.long(study))

    assert len(lines) == 5 * 2 * 2 * 2  # methods, lengths, seeds, metrics
    (one,) = [
        line
        for line in lines
        if [line[name] for name in ("method", "bits", "seed", "metric")] == ["mine", "32", "1", "mAP"]
    ]
    assert float(one["expected"]) == pytest.approx(0.6 + 0.01 + 0.032 + 0.05)
    assert Path(one["run"]).is_dir()


def test_the_wide_sheet_has_a_line_for_each_method(study: Study, style: Style) -> None:
    lines = lines_of(spreadsheets.wide(table_blocks(study, [], style)))

    (one,) = [line for line in lines if (line["method"], line["metric"]) == ("other", "mAP")]
    assert float(one["mean 16"]) == pytest.approx(0.521)
    assert float(one["deviation 16"]) == pytest.approx(0.01 / np.sqrt(2))
    assert one["seeds 32"] == "2"


def test_the_sheets_of_tests_and_ranks_have_all_of_them(study: Study) -> None:
    comparisons = compare(study, "mine", "t")
    ranks = rank(study, "mAP", "cells", 0.05)

    lines = lines_of(spreadsheets.tests(comparisons))

    assert [float(line["holm"]) for line in lines] == [one.adjusted for one in comparisons]
    assert [line["second"] for line in lines] == [one.second for one in comparisons]
    assert [line["mean rank"] for line in lines_of(spreadsheets.mean_ranks([ranks]))] == ["1.0", "2.0", "3.0", "4.0"]


@pytest.mark.usefixtures("study")
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex on this machine")
def test_the_tables_compile_whatever_names_are_in_them(
    write_run: WriteRun, runs: str, style: Style, tmp_path: Path
) -> None:
    for seed in (0, 1):
        write_run(
            "other",
            seed,
            {"mAP": [0.5] * 6, "NDCG@4": [0.4] * 6},
            bits=16,
            overrides=[f"loss.name={HOSTILE}", "a=1\n\n2"],
        )
    _, table = texts(collect([runs], Choice()), style)
    (tmp_path / "tables.tex").write_text(table, encoding="utf-8")
    (tmp_path / "document.tex").write_text(latex.document([]), encoding="utf-8")

    result = subprocess.run(
        ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "document.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert result.returncode == 0, result.stdout[-2000:]
    assert (tmp_path / "document.pdf").read_bytes().startswith(b"%PDF")
