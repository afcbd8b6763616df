"""Everything that is written of a study."""

from pathlib import Path

from softhash.storage.atomic import atomic_write
from softhash.study import latex, spreadsheets
from softhash.study.collect import Study
from softhash.study.compare import compare, rank
from softhash.study.curves import mean_curves
from softhash.study.figures import shown_methods, write_figures
from softhash.study.markdown import markdown
from softhash.study.page import page
from softhash.study.published import all_published, beside
from softhash.study.table import Style, table_blocks


def write_report(study: Study, style: Style, ranks_over: str, folder: Path) -> Path:
    """Write tables, tests, figures and the page; give the path of the page.

    Args:
        study: The runs.
        style: How numbers are printed and marked.
        ranks_over: What methods are ranked in; see :func:`~softhash.study.compare.rank`.
        folder: Where to; files of an earlier report are replaced.

    Raises:
        ValueError: A test or another choice does not exist.
        OSError: The folder cannot be written.
    """
    comparisons = compare(study, style.reference, style.test)
    found = [rank(study, metric, ranks_over, style.level) for metric in study.metrics]
    ranks = [one for one in found if one is not None]
    blocks = table_blocks(study, comparisons, style)
    besides = beside(study, all_published())
    curves, notes = mean_curves(study, shown_methods(study))
    study.notes.extend(notes)
    captions = write_figures(folder / "figures", study, blocks, curves, ranks)
    texts = {
        "results.md": markdown(study, blocks, comparisons, ranks, besides, style),
        "results_long.csv": spreadsheets.long(study),
        "results_wide.csv": spreadsheets.wide(blocks),
        "tests.csv": spreadsheets.tests(comparisons),
        "ranks.csv": spreadsheets.mean_ranks(ranks),
        "tables.tex": latex.tables(study, blocks, comparisons, ranks, besides, style),
        "document.tex": latex.document([f"figures/{name}.pdf" for name in captions]),
        "index.html": page(study, blocks, comparisons, ranks, besides, style, captions, folder),
    }
    for name, text in texts.items():
        with atomic_write(folder / name) as aside:
            aside.write_text(text, encoding="utf-8")
    return folder / "index.html"
