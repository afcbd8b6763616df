"""What is written of a search: its trials as CSV, figures, and a page with everything in it."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from softhash.report.drawing import data_uri, styled
from softhash.report.page import document
from softhash.report.sortable import CHOICE, NUMBER, WORD, cell, script, style, table
from softhash.report.tables import duration
from softhash.storage.atomic import atomic_write
from softhash.tuning import figures
from softhash.tuning.space import Space
from softhash.tuning.trials import COMPLETE, FAILED, PRUNED, RUNNING, Tried, best_of

_CAPTIONS = {
    "history": "What each trial is worth: the measure of its best epoch. A pruned trial was ended before its last one.",
    "importance": (
        "How much of the variance of the values of complete trials each key explains, by fANOVA (Hutter et al., ICML"
        " 2014). Few trials, most of them near good values, say little of keys that matter elsewhere."
    ),
    "slices": "What trials are worth by the value of each key.",
    "curves": "The measure after each epoch; grey trials were pruned.",
}


@dataclass(frozen=True)
class Found:
    """A search as it is now.

    Attributes:
        heading: Method, data set and code length.
        monitor: The validation measure.
        command: Trains with the best values; empty where no trial is complete.
        space: What is searched.
        trials: All so far.
        shares: Importance of each key; empty where it cannot be told.
        facts: What else is to be known, by name.
    """

    heading: str
    monitor: str
    command: str
    space: Space
    trials: list[Tried]
    shares: dict[str, float]
    facts: Mapping[str, str]

    @property
    def best(self) -> Tried | None:
        """The best trial; None where none is complete."""
        return best_of(self.trials)

    def counted(self) -> str:
        """Number of trials by state, in words."""
        counts = Counter(tried.state for tried in self.trials)
        return ", ".join(f"{counts[state]} {state}" for state in (COMPLETE, PRUNED, FAILED, RUNNING) if counts[state])


def write_report(found: Found, folder: Path) -> Path:
    """Write ``trials.csv``, ``figures/`` and ``index.html``; give the path of the page.

    Raises:
        OSError: The folder cannot be written.
    """
    pictures = {}
    with styled():
        drawn = {
            "history": figures.history(found.trials, found.monitor),
            "importance": figures.importance(found.shares),
            "curves": figures.curves(found.trials, found.monitor),
            "slices": figures.slices(found.trials, found.space, found.monitor),
        }
        for name, figure in drawn.items():
            path = folder / "figures" / f"{name}.png"
            path.unlink(missing_ok=True)
            if figure is not None:
                with atomic_write(path) as aside:
                    figure.savefig(aside, dpi=150)
                pictures[name] = path
    for name, text in (("trials.csv", spreadsheet(found)), ("index.html", page(found, pictures))):
        with atomic_write(folder / name) as aside:
            aside.write_text(text, encoding="utf-8")
    return folder / "index.html"


def spreadsheet(found: Found) -> str:
    """A line for each trial."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", found.monitor, "epochs", "seconds", *found.space, "error"])
    for tried in found.trials:
        values = (tried.values.get(key, "") for key in found.space)
        writer.writerow(
            [tried.number, tried.state, tried.value, len(tried.series), tried.seconds, *values, tried.error]
        )
    return text.getvalue()


def page(found: Found, pictures: Mapping[str, Path]) -> str:
    """The page as HTML.

    Args:
        found: The search.
        pictures: PNG files by the name of the figure.
    """
    parts = [f"<h1>{escape(found.heading)}</h1>", _facts(found), "<h2>Best values</h2>", _best(found)]
    parts += ["<h2>Figures</h2>", _figures(pictures), "<h2>Trials</h2>", _trials(found.trials, list(found.space))]
    searched = ([escape(key), escape(str(values))] for key, values in found.space.items())
    parts += ["<h2>What is searched</h2>", table({"key": WORD, "values": WORD}, searched)]
    return document(found.heading, "\n".join(parts), style(), script())


def _facts(found: Found) -> str:
    facts = {"trials": found.counted(), "measure": f"{found.monitor}, of the best epoch", **found.facts}
    items = (f"<li><b>{escape(name)}</b>{escape(value)}</li>" for name, value in facts.items())
    return f'<ul class="facts">{"".join(items)}</ul>'


def _best(found: Found) -> str:
    best = found.best
    if best is None:
        return '<p class="soft">No trial is complete.</p>'
    values = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in best.values.items())
    return (
        f'<div class="card"><dl><dt>trial</dt><dd>{best.number}</dd><dt>{escape(found.monitor)}</dt>'
        f'<dd>{best.value:.4f}</dd>{values}</dl><pre class="commands">{escape(found.command)}</pre></div>\n'
        '<p class="soft">The best of many is better on the validation images than it will be on others. What it is'
        " worth, the command measures on the test queries, of which the search has seen none.</p>"
    )


def _figures(pictures: Mapping[str, Path]) -> str:
    shown = []
    for name, path in pictures.items():
        wide = " wide" if name == "slices" else ""
        caption, source = escape(_CAPTIONS[name]), data_uri("image/png", path.read_bytes())
        picture = f'<img alt="{caption}" src="{source}">'
        shown.append(f'<figure class="plot{wide}">{picture}<figcaption>{caption}</figcaption></figure>')
    return f'<div class="figures">{"".join(shown)}</div>'


def _trials(trials: Sequence[Tried], keys: Sequence[str]) -> str:
    columns = {"trial": NUMBER, "state": CHOICE, "value": NUMBER, "epochs": NUMBER, "time": NUMBER}
    columns |= {**dict.fromkeys(keys, NUMBER), "why": WORD}
    best = best_of(trials)
    lines = [
        [
            str(tried.number),
            tried.state,
            "" if tried.value is None else cell(tried.value, f"<span>{tried.value:.4f}</span>", _mark(tried is best)),
            str(len(tried.series)),
            "" if tried.seconds is None else cell(tried.seconds, duration(tried.seconds)),
            *(_number(tried.values.get(key, "")) for key in keys),
            escape(tried.error.partition("\n")[0]),
        ]
        for tried in trials
    ]
    return table(columns, lines)


def _mark(is_best: bool) -> str:
    return "best" if is_best else ""


def _number(text: str) -> str:
    """A value of a key, sorted by its size where it is a number."""
    try:
        return cell(float(text), escape(f"{float(text):.4g}"))
    except ValueError:
        return f"<td>{escape(text)}</td>"
