"""Write the tables in ``docs/*.md`` anew from the configs: ``make docs``.

A table stands between ``<!-- table: GROUP -->`` and ``<!-- end -->``, and says of each option of the group what the
first comment of its file says.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from hydra.utils import get_class

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- table: (\S+) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def groups() -> list[str]:
    """Everything that a table is made of: the groups of ``conf/`` that a user chooses from, verbs and sweeps."""
    folders = {path.parent.relative_to(ROOT / "conf").as_posix() for path in (ROOT / "conf").rglob("*.yaml")}
    chosen = {folder for folder in folders if folder.split("/")[0] not in {".", "hydra"} and folder != "data/common"}
    return sorted({*chosen, "verbs", "sweeps"})


def pages() -> list[Path]:
    """The documents that may have tables."""
    return sorted((ROOT / "docs").glob("*.md"))


def current(document: str) -> str:
    """A document with every table as the configs have it now."""
    return BLOCK.sub(lambda block: block[1] + "\n" + table(block[2]) + "\n", document)


def table(group: str) -> str:
    """The table of a group, in Markdown."""
    folder = {"verbs": ROOT / "conf", "sweeps": ROOT / "sweeps"}.get(group, ROOT / "conf" / group)
    lines = [row(group, path) for path in sorted(folder.glob("*.yaml"))]
    cells = [list(lines[0]), ["---"] * len(lines[0]), *(list(line.values()) for line in lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def row(group: str, path: Path) -> dict[str, str]:
    """Cells of an option by the heads of their columns."""
    what, _, differs = comment(path).partition(" Differs: ")
    if group == "verbs":
        return {"`softhash ...`": f"`{path.stem.replace('_', ' ')}`", "": what}
    cells = {f"`{'+' * (group == 'sweeps')}{group}=`": f"`{path.stem}`", "": what}
    if group == "method":
        cells["differs from its source in"] = differs
    if group == "data":
        data = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]
        cells |= {"classes": classes(data), "below `data.root`": layout(data["_target_"])}
    return cells


def comment(path: Path) -> str:
    """The first comment of a YAML file as one line, without what is meant for Hydra."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @"):
            lines.append(line.removeprefix("# "))
    return " ".join(lines).replace("|", r"\|")


def classes(data: dict[str, Any]) -> str:
    """Number of classes, where it is not the user's."""
    return "yours" if data["num_classes"] == "???" else str(data["num_classes"])


def layout(target: str) -> str:
    """First sentence of what the docstring of a data set says of its files."""
    paragraph = re.search(r"^ *Layout(?:, .*?)?: (.*?)\n\n", get_class(target).__doc__ or "", re.DOTALL | re.MULTILINE)
    if paragraph is None:
        return ""
    text = re.sub(r"\s+", " ", paragraph[1]).replace("``", "`").replace("|", r"\|")
    return re.split(r"\. (?=[A-Z])", text)[0].rstrip(".")


if __name__ == "__main__":
    for page in pages():
        before = page.read_text(encoding="utf-8")
        if current(before) != before:
            page.write_text(current(before), encoding="utf-8")
            print(f"{page.relative_to(ROOT)} written anew")  # noqa: T201
