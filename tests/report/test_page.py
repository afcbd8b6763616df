import re
from pathlib import Path

import numpy as np

from softhash.report.folder import read_json, write_arrays
from softhash.report.page import figures, write_page


def write_gallery(run: Path) -> None:
    write_arrays(
        run / "gallery.npz",
        query_rows=np.array([0, 5]),
        neighbour_rows=np.array([[1, 2, 3], [4, 5, 6]]),
        query_images=np.zeros((2, 3, 8, 8), dtype=np.uint8),
        neighbour_images=np.zeros((2, 3, 3, 8, 8), dtype=np.uint8),
        distances=np.array([[0, 1, 1], [2, 2, 3]]),
    )


def test_the_page_holds_every_number(run: Path) -> None:
    page = write_page(run).read_text()

    for values in read_json(run / "metrics.json")["rows"].values():
        for value in values.values():
            assert f"<strong>{value['expected']:.4f}</strong>" in page
            assert f"{value['worst']:.4f} to {value['best']:.4f}" in page


def test_the_page_loads_nothing_from_elsewhere(logged: Path) -> None:
    write_gallery(logged)

    page = write_page(logged).read_text()

    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) == 7
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "url(" not in page
    assert "<script" not in page


def test_what_a_run_lacks_is_left_out(run: Path) -> None:
    page = write_page(run).read_text()

    assert set(figures(run)) == {"precision_recall", "precision_at", "distances", "bits"}
    assert page.count("<figure") == 4


def test_names_are_escaped(run: Path) -> None:
    (run / "config.yaml").write_text("name: <script>alert(1)</script>\n")

    page = write_page(run).read_text()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
