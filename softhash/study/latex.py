r"""The study as LaTeX tables, for ``\input`` into a paper; they need the package booktabs alone."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from softhash.study.collect import Study
from softhash.study.compare import Comparison, Ranks
from softhash.study.published import Beside
from softhash.study.table import Block, Style, protocol_of

_LINES = 44  # of methods in one table, which a page holds
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "±": r"$\pm$",
    "*": r"$^{*}$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}

DOCUMENT = r"""% To look at the tables: pdflatex document.tex
\documentclass{article}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs}
\usepackage{graphicx}
\begin{document}
\input{tables}
FIGURES
\end{document}
"""


def escaped(text: str) -> str:
    r"""A text in which LaTeX sees no commands, on one line.

    Example:
        >>> print(escaped("loss_a=50% \\input{x}"))
        loss\_a=50\% \textbackslash{}input\{x\}
    """
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def tables(
    study: Study,
    blocks: Sequence[Block],
    comparisons: Sequence[Comparison],
    ranks: Sequence[Ranks],
    besides: Sequence[Beside],
    style: Style,
) -> str:
    """All tables: results of each data set, mean ranks, and published numbers."""
    parts = [r"% Made by softhash report. In the preamble: \usepackage{booktabs}"]
    for data, of_data in groupby(blocks, key=lambda block: block.data):
        pages = list(_pages([block for block in of_data if block.lines]))
        for number, page in enumerate(pages, 1):
            parts.append(_results(study, data, page, comparisons, style, "" if len(pages) == 1 else f"-{number}"))
    if ranks:
        parts.append(_ranks(ranks, style))
    if besides:
        parts.append(_published(besides, style))
    return "\n\n".join(parts) + "\n"


def document(figures: Sequence[str]) -> str:
    """A document that shows the tables, and figures by their paths."""
    shown = (rf"\begin{{figure}}[tbp]\centering\includegraphics{{{path}}}\end{{figure}}" for path in figures)
    return DOCUMENT.replace("FIGURES", "\n".join(shown))


def _pages(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks that fit on a page together."""
    page: list[Block] = []
    for block in blocks:
        if page and sum(len(one.lines) + 1 for one in [*page, block]) > _LINES:
            yield page
            page = []
        page = [*page, block]
    if page:
        yield page


def _results(
    study: Study, data: str, blocks: Sequence[Block], comparisons: Sequence[Comparison], style: Style, number: str
) -> str:
    meaning = style.meaning(comparisons)
    caption = (
        f"{data}: {protocol_of(study, data)}. Mean"
        + (
            " ± standard deviation"
            if any(line.spread(bits) is not None for block in blocks for line in block.lines for bits in block.bits)
            else ""
        )
        + f" over {study.seeds} seed{'s' * (study.seeds != '1')}, expected over orders of ties."
        " Best in bold, second underlined" + (f"; {meaning}." if meaning else ".")
    )
    lengths = blocks[0].bits
    lines = [rf"method & {' & '.join(f'{bits} bits' for bits in lengths)} \\"]
    for block in blocks:
        lines += [r"\midrule", rf"\multicolumn{{{len(lengths) + 1}}}{{l}}{{\emph{{{escaped(block.metric)}}}}} \\"]
        for line in block.lines:
            cells = [_cell(block, line.method, bits, line.cell(bits, style.digits)) for bits in lengths]
            lines.append(rf"{escaped(line.method)} & {' & '.join(cells)} \\")
    return _table(caption, f"results-{data}{number}", "l" + "r" * len(lengths), lines)


def _cell(block: Block, method: str, bits: int, text: str) -> str:
    value, _, spread = text.partition(" ± ")
    if (method, bits) in block.best:
        value = rf"\textbf{{{value}}}"
    elif (method, bits) in block.second:
        value = rf"\underline{{{value}}}"
    small = rf"\,{{\scriptsize$\pm$\,{spread}}}" if spread else ""
    mark = r"\rlap{$^{*}$}" if (method, bits) in block.marked else ""
    return value + small + mark


def _ranks(ranks: Sequence[Ranks], style: Style) -> str:
    methods = list(dict.fromkeys(method for one in ranks for method in one.ranks))
    caption = (
        f"Mean ranks over {ranks[0].over}; smaller is better. Below: number of these, critical difference (Nemenyi,"
        f" {style.level:g}) and p value of Friedman's test (Iman and Davenport)."
    )
    lines = [rf"method & {' & '.join(escaped(one.metric) for one in ranks)} \\", r"\midrule"]
    for method in methods:
        cells = [_rank(one, method) for one in ranks]
        lines.append(rf"{escaped(method)} & {' & '.join(cells)} \\")
    lines += [
        r"\midrule",
        rf"blocks & {' & '.join(f'{one.blocks:,}' for one in ranks)} \\",
        rf"critical difference & {' & '.join(f'{one.critical_difference:.2f}' for one in ranks)} \\",
        rf"$p$ & {' & '.join(f'{one.friedman.p:.3g}' for one in ranks)} \\",
    ]
    return _table(caption, "ranks", "l" + "r" * len(ranks), lines)


def _rank(one: Ranks, method: str) -> str:
    if method not in one.ranks:
        return ""
    text = f"{one.ranks[method]:.2f}"
    return rf"\textbf{{{text}}}" if one.ranks[method] == min(one.ranks.values()) else text


def _published(besides: Sequence[Beside], style: Style) -> str:
    lengths = sorted({bits for one in besides for bits in one.published})
    caption = (
        "Published numbers, for orientation only: their protocols differ from ours. Ours stand below where the metric"
        " is the same."
    )
    sources = list(dict.fromkeys((one.protocol, one.source) for one in besides))
    lines = [rf"data & method & metric & by & {' & '.join(f'{bits} bits' for bits in lengths)} \\", r"\midrule"]
    for one in besides:
        letter = _letter(sources.index((one.protocol, one.source)))
        for values, who in ((one.published, letter), (one.ours, "ours")):
            if values:
                cells = [f"{values[bits]:.{style.digits}f}" if bits in values else "" for bits in lengths]
                words = [escaped(word) for word in (one.data, one.method, one.metric, who)]
                lines.append(rf"{' & '.join([*words, *cells])} \\")
    notes = "".join(
        rf"\par {_letter(number)}: {escaped(source)}; {escaped(protocol)}."
        for number, (protocol, source) in enumerate(sources)
    )
    return _table(
        caption, "published", "llll" + "r" * len(lengths), lines, rf"\par\medskip\raggedright\footnotesize{notes}"
    )


def _letter(number: int) -> str:
    """Letters from a to z, then a1, b1, ..."""
    turn, letter = divmod(number, 26)
    return chr(ord("a") + letter) + (str(turn) if turn else "")


def _table(caption: str, label: str, columns: str, lines: Sequence[str], below: str = "") -> str:
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in label)
    inner = [
        r"\begin{table}[tbp]",
        r"\centering\small",
        rf"\caption{{{escaped(caption)}}}",
        rf"\label{{tab:{name}}}",
        r"\medskip",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([*inner, *([below] if below else []), r"\end{table}"])
