import http.server
import importlib.util
import json
import re
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.search.exact import Exact
from softhash.search.index import write_index

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_configs(tables: ModuleType) -> None:
    stale = [page.name for page in tables.pages() if tables.current(page.read_text()) != page.read_text()]

    assert stale == [], "make docs writes them anew"


def test_every_group_has_its_table(tables: ModuleType) -> None:
    shown = [group for page in tables.pages() for _, group in tables.BLOCK.findall(page.read_text())]

    assert sorted(shown) == tables.groups()


def test_a_table_holds_what_the_first_comment_of_a_config_says(tables: ModuleType) -> None:
    document = "before\n<!-- table: method -->\nstale\n<!-- end -->\nafter\n"

    lines = tables.current(document).splitlines()

    assert lines[:3] == ["before", "<!-- table: method -->", ""]
    assert lines[-3:] == ["", "<!-- end -->", "after"]
    (dhn,) = [line for line in lines if line.startswith("| `dhn` |")]
    _, name, what, differs, _ = dhn.split("|")
    assert what.startswith(" DHN: ")
    assert differs == " Adam, where theirs is momentum SGD on CaffeNet. "
    assert "stale" not in lines
    assert name == " `dhn` "


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_section_leads_to_one(page: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)]*)\)", page.read_text()):
        target = page.parent / link if link else page
        heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)

        assert anchor in {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}


def test_the_service_of_ten_lines_answers_as_it_is_printed(
    untrained: Callable[..., Run], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, servers = untrained(), []
    names = [str(path.relative_to(photos)) for path in sorted(photos.rglob("*.jpg"))]
    codes = run.encoder()(run.preprocessing()(*(photos / name for name in names))).database.numpy()
    write_index(Collection(codes, names, 12, run.identity()), Exact(), tmp_path / "photos.index")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "...").symlink_to(run.folder)
    monkeypatch.chdir(tmp_path)

    class Server(http.server.HTTPServer):
        """Listens where it is told to, but on a port that is free, and answers once."""

        def __init__(self, address: tuple[str, int], handler: type) -> None:
            super().__init__((address[0], 0), handler)

        def serve_forever(self, poll_interval: float = 0.5) -> None:
            servers.append(self)

    monkeypatch.setattr(http.server, "HTTPServer", Server)
    monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "log_message", lambda *_: None)
    text = re.search(
        r"^## A service\n.*?^```python\n(.*?)^```", (ROOT / "docs" / "searching.md").read_text(), re.M | re.S
    )

    exec(text[1], {"__name__": "service"})  # noqa: S102 - our own
    (server,) = servers
    answering = Thread(target=server.handle_request)
    answering.start()
    connection = HTTPConnection(*server.server_address)
    connection.request("POST", "/", (photos / names[5]).read_bytes())
    answer = json.load(connection.getresponse())
    answering.join()
    server.server_close()

    distances = np.unpackbits(codes ^ codes[5], axis=1).sum(1)
    assert answer == [[names[row], distances[row]] for row in distances.argsort(kind="stable")[:20]]
    lines = [line for line in text[1].splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 10


def test_the_examples_of_classical_methods_run_as_they_are_printed() -> None:
    plain, searched = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "shallow.md").read_text(), re.M | re.S)
    names: dict[str, Any] = {"features": np.random.default_rng(0).standard_normal((100, 40))}

    exec(plain, names)  # noqa: S102 - our own
    exec(searched, names)  # noqa: S102

    assert (names["bits"].shape, names["bits"].dtype) == ((100, 32), bool)
    assert names["search"].best_score_ > 0.8  # chance: 0.1
