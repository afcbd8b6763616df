"""Tables of a page that its reader sorts and filters, by a script that the page has inside."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

# Attributes of columns: of text, of numbers, and with a list of what there is to choose from.
WORD, NUMBER, CHOICE = "", ' class="n"', ' data-choice=""'


def style() -> str:
    """CSS of the tables."""
    return _asset("sortable.css")


def script() -> str:
    """JavaScript that makes them sortable; it also has ``element`` and ``choice`` for the script of a page."""
    return _asset("sortable.js")


def table(columns: Mapping[str, str], lines: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table that the script makes sortable, with the attributes of its columns; cells are HTML.

    A cell that begins with ``<td`` is taken as it is.
    """
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in columns.items())
    shown = [kind.replace(CHOICE, "") for kind in columns.values()]
    body = "\n".join(
        "<tr>"
        + "".join(
            cell if cell.startswith("<td") else f"<td{of}>{cell}</td>" for cell, of in zip(line, shown, strict=True)
        )
        + "</tr>"
        for line in lines
    )
    return (
        f'<div class="card"><table class="sortable {kind}"><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>'
        "</table></div>"
    )


def cell(value: float, text: str, classes: str = "") -> str:
    """A number that is sorted by its value, not by what is printed."""
    return f'<td class="n {classes}" data-value="{value!r}">{text}</td>'


def _asset(name: str) -> str:
    return files("softhash.report").joinpath(name).read_text(encoding="utf-8")
