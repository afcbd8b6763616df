"""The page of a study: one file with everything in it, and a script of its own to sort, filter and compare."""

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from softhash.report.drawing import data_uri
from softhash.report.page import document
from softhash.report.sortable import CHOICE, NUMBER, WORD, cell, script, table
from softhash.report.sortable import style as style_of_tables
from softhash.report.tables import SummaryLine
from softhash.study.collect import Cell, Source, Study
from softhash.study.compare import Comparison, Ranks
from softhash.study.markdown import number
from softhash.study.published import Beside
from softhash.study.queries import comparison
from softhash.study.table import Block, Style, protocol_of


def page(
    study: Study,
    blocks: Sequence[Block],
    comparisons: Sequence[Comparison],
    ranks: Sequence[Ranks],
    besides: Sequence[Beside],
    style: Style,
    captions: Mapping[str, str],
    folder: Path,
) -> str:
    """The page as HTML.

    Args:
        study: The runs.
        blocks: Their tables.
        comparisons: Their tests.
        ranks: By metric.
        besides: Published numbers.
        style: How numbers are printed.
        captions: Of the figures that lie in ``figures/``.
        folder: Where the page will lie, from which links lead to the pages of the runs.
    """
    heading = f"{len(study.methods)} methods on {', '.join(study.data)}"
    meaning = style.meaning(comparisons)
    parts = [
        f"<h1>{escape(heading)}</h1>",
        _facts(study),
        *(f'<p class="note">{escape(note)}</p>' for note in study.notes),
        "<h2>Results</h2>",
        _results(study, blocks, style, folder),
        (
            f'<p class="soft">Mean ± standard deviation over seeds; expected over orders of ties. Best of a data set and code length in'
            f" bold, second underlined{'; ' + escape(meaning) if meaning else ''}. A seed leads to the page of its run.</p>"
        ),
        "<h2>Figures</h2>",
        _figures(captions, folder),
        "<h2>Two methods, query by query</h2>",
        _compared(study, style),
    ]
    if comparisons:
        parts += ["<h2>Tests</h2>", _tests(comparisons)]
    if ranks:
        parts += ["<h2>Mean ranks</h2>", _ranks(ranks)]
    if besides:
        parts += ["<h2>Published numbers</h2>", _published(besides, style)]
    if study.left_out:
        lines = ([escape(str(one.folder)), escape(one.why)] for one in study.left_out)
        parts += [f"<h2>Left out: {len(study.left_out)}</h2>", table({"run": WORD, "why": WORD}, lines, "wrap")]
    return document(heading, "\n".join(parts), style_of_tables() + _asset("page.css"), script() + _asset("page.js"))


def _asset(name: str) -> str:
    return files("softhash.study").joinpath(name).read_text(encoding="utf-8")


def _facts(study: Study) -> str:
    facts = {"runs": f"{len(study.records)}", "seeds": study.seeds}
    facts |= {data: protocol_of(study, data) for data in study.data}
    items = (f"<li><b>{escape(name)}</b>{escape(value)}</li>" for name, value in facts.items())
    return f'<ul class="facts">{"".join(items)}</ul>'


def _results(study: Study, blocks: Sequence[Block], style: Style, folder: Path) -> str:
    by_metric = {(block.data, block.metric): block for block in blocks}
    columns = {"data": CHOICE, "method": WORD, "bits": NUMBER + CHOICE, "seeds": WORD}
    columns |= dict.fromkeys(study.metrics, NUMBER)
    lines = []
    for data in study.data:
        for bits in study.bits(data):
            for method in study.on(data):
                sources = study.cells.get(Cell(data, method, bits))
                if sources:
                    cells = [_result(by_metric[data, metric], method, bits, style) for metric in study.metrics]
                    lines.append([escape(data), escape(method), str(bits), _links(sources, folder), *cells])
    return table(columns, lines, "results")


def _result(block: Block, method: str, bits: int, style: Style) -> str:
    line = next((line for line in block.lines if line.method == method), SummaryLine("", "", ""))
    if bits not in line.values:
        return '<td class="n"></td>'
    place = (method, bits)
    emphasis = "best" if place in block.best else "second" if place in block.second else ""
    text, _, spread = line.cell(bits, style.digits).partition(" ± ")
    mark = '<sup title="significant">*</sup>' if place in block.marked else ""
    small = f"<small>± {spread}</small>" if spread else ""
    return cell(line.mean(bits), f"<span>{text}</span>{mark}{small}", emphasis)


def _links(sources: Mapping[int, Source], folder: Path) -> str:
    return " ".join(_link(str(seed), source.run.page, folder) for seed, source in sorted(sources.items()))


def _link(text: str, target: Path, folder: Path) -> str:
    """A relative link where there is the file, else its text."""
    if not target.is_file():
        return escape(text)
    relative = os.path.relpath(target.resolve(), folder.resolve())
    return f'<a href="{escape(quote(Path(relative).as_posix()))}">{escape(text)}</a>'


def _figures(captions: Mapping[str, str], folder: Path) -> str:
    shown = []
    for name, caption in captions.items():
        picture = data_uri("image/svg+xml", (folder / "figures" / f"{name}.svg").read_bytes())
        text = f'{escape(caption)} <a href="figures/{name}.pdf">PDF</a> <a href="figures/{name}.png">PNG</a>'
        shown.append(
            f'<figure class="plot"><img alt="{escape(caption)}" src="{picture}"><figcaption>{text}</figcaption></figure>'
        )
    return f'<div class="figures">{"".join(shown)}</div>'


def _compared(study: Study, style: Style) -> str:
    """What the script fills: choices, a plot, and lists of queries."""
    content = comparison(study) | {"first": style.reference or study.methods[0]}
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return (
        '<div class="card" id="compare"><noscript>This part needs JavaScript, which this file has inside.</noscript></div>\n'
        f'<script type="application/json" id="queries">{text}</script>'
    )


def _tests(comparisons: Sequence[Comparison]) -> str:
    columns = {
        "metric": CHOICE, "data": CHOICE, "bits": NUMBER + CHOICE, "over": CHOICE, "first": CHOICE, "second": CHOICE,
        "pairs": NUMBER, "difference": NUMBER, "95 % interval": NUMBER, "d": NUMBER, "won": NUMBER, "lost": NUMBER,
        "p": NUMBER, "p, Holm": NUMBER,
    }  # fmt: skip
    lines = (
        [
            escape(one.metric), escape(one.data), str(one.bits), one.over, escape(one.first), escape(one.second),
            cell(one.pairs, f"{one.pairs:,}"), cell(one.effect.difference, f"{one.effect.difference:+.4f}"),
            cell(one.effect.low, f"{one.effect.low:+.4f} to {one.effect.high:+.4f}"),
            cell(one.effect.size, f"{one.effect.size:+.2f}"), cell(one.effect.wins, f"{one.effect.wins:.0%}"),
            cell(one.effect.losses, f"{one.effect.losses:.0%}"), cell(one.p, _p(one.p)), cell(one.adjusted, _p(one.adjusted)),
        ]
        for one in comparisons
    )  # fmt: skip
    note = (
        "The first minus the second. d is the mean of the differences over their standard deviation; won and lost are shares"
        " of pairs. Holm's correction covers all comparisons of a metric over queries, or over seeds."
    )
    return f'{table(columns, lines)}\n<p class="soft">{note}</p>'


def _p(value: float) -> str:
    return escape(number(value).removeprefix("= "))


def _ranks(ranks: Sequence[Ranks]) -> str:
    methods = list(dict.fromkeys(method for one in ranks for method in one.ranks))
    lines = [
        [
            escape(method),
            *(cell(one.ranks[method], f"{one.ranks[method]:.2f}") if method in one.ranks else "" for one in ranks),
        ]
        for method in methods
    ]
    notes = "".join(
        f"<br>{escape(one.metric)}: {one.blocks:,} {one.over}, critical difference {one.critical_difference:.2f}, Friedman's test"
        f" p {escape(number(one.friedman.p))}."
        + (f" Not in all of them, so left out: {escape(', '.join(one.left_out))}." if one.left_out else "")
        for one in ranks
    )
    columns = {"method": WORD, **{one.metric: NUMBER for one in ranks}}
    return f'{table(columns, lines)}\n<p class="soft">Smaller is better.{notes}</p>'


def _published(besides: Sequence[Beside], style: Style) -> str:
    lengths = sorted({bits for one in besides for bits in one.published})
    columns = {"data": CHOICE, "method": CHOICE, "metric": CHOICE, "by": WORD, "protocol": WORD}
    columns |= {f"{bits} bits": NUMBER for bits in lengths}
    lines = [
        [
            escape(one.data), escape(one.method), escape(one.metric), escape(who), escape(protocol),
            *(cell(values[bits], f"{values[bits]:.{style.digits}f}") if bits in values else "" for bits in lengths),
        ]
        for one in besides
        for who, protocol, values in ((one.source, one.protocol, one.published), ("ours", "as above", one.ours))
        if values
    ]  # fmt: skip
    note = "For orientation only: protocols differ. Ours stand below where the metric is the same."
    return f'{table(columns, lines, "wrap")}\n<p class="soft">{note}</p>'
