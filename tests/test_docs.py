import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

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
