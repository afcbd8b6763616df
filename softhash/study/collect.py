"""Many runs as one study: methods, data sets, code lengths and seeds."""

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from softhash.report.tables import Entry, entries, title
from softhash.runs.folder import Record, Run, Scores
from softhash.runs.record import RANDOM
from softhash.study.folders import Finished, LeftOut, find, read
from softhash.study.protocols import Protocol, protocols, refuse_mixed, refuse_other_conventions, test_sets
from softhash.text import first_few


class Cell(NamedTuple):
    """A place in a table."""

    data: str
    method: str
    bits: int


@dataclass(frozen=True)
class Source:
    """One seed of a cell.

    Attributes:
        run: The run that has it.
        name: Of the method within the run.
        has_gallery: The pictures of the run are of what this method finds.
        test_set: The same for equal queries, database and labels.
        scores: Expected value, worst and best order of ties, by metric.
        per_query: ``(Q,)`` float64 expected scores of each query by metric; NaN where a query is excluded.
    """

    run: Run
    name: str
    has_gallery: bool
    test_set: str
    scores: Scores
    per_query: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Study:
    """Runs as cells of a table.

    Attributes:
        cells: Sources of each cell by seed.
        methods: Display names in the order of the tables.
        titles: Names without settings by display name.
        data: Display names of the data sets, each with its name in the config.
        chance: Display names that are random codes, which no test is about.
        metrics: Names of the metrics in the order of the tables.
        records: Of all runs that are in it.
        left_out: Runs that are not in it.
        notes: What a reader of the tables should know, a sentence each.
    """

    cells: dict[Cell, dict[int, Source]]
    methods: list[str]
    titles: dict[str, str]
    data: dict[str, str]
    chance: set[str]
    metrics: list[str]
    records: list[Record]
    left_out: list[LeftOut]
    notes: list[str]

    def bits(self, data: str) -> list[int]:
        """Code lengths on a data set, ascending."""
        return sorted({cell.bits for cell in self.cells if cell.data == data})

    def on(self, data: str) -> list[str]:
        """Methods on a data set, in the order of the tables."""
        there = {cell.method for cell in self.cells if cell.data == data}
        return [method for method in self.methods if method in there]

    def values(self, cell: Cell, metric: str) -> dict[int, float]:
        """Expected values by seed, where the metric was measured."""
        sources = sorted(self.cells.get(cell, {}).items())
        return {seed: source.scores[metric]["expected"] for seed, source in sources if metric in source.scores}

    @property
    def seeds(self) -> str:
        """How many seeds a cell is of."""
        counts = sorted({len(sources) for sources in self.cells.values()})
        return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


@dataclass(frozen=True)
class Choice:
    """What of the runs is in the tables, and how.

    Attributes:
        metrics: Which metrics, in this order, upper and lower case alike; None for all.
        methods: Which methods, in this order, each with all its settings; None for all.
        sort: Metric whose mean sorts the methods, best first; None for the first one.
        ignore: Keys of overrides that tell no methods apart.
        names: How methods and data sets are printed, by their names.
        mixed: Runs of different protocols on one data set are allowed.
    """

    metrics: Sequence[str] | None = None
    methods: Sequence[str] | None = None
    sort: str | None = None
    ignore: Sequence[str] = ()
    names: Mapping[str, str] | None = None
    mixed: bool = False


def collect(places: Sequence[str], choice: Choice) -> Study:
    """Read the runs in and below folders and patterns, and put them into cells.

    Raises:
        FileNotFoundError: A place is not there.
        ValueError: No run can be used; runs cannot be compared; or there is no such metric or method.
    """
    finished, left_out = read(find(places))
    results = [result for _, result, _ in finished]
    records = [result.record for result in results]
    known = protocols(records, choice.ignore)
    if not choice.mixed:
        refuse_mixed(finished, known)
    measured = list(dict.fromkeys(metric for result in results for metric in result.metrics))
    metrics = [match(name, measured, "metrics") for name in choice.metrics or measured]
    refuse_other_conventions(finished, metrics)
    names = choice.names or {}
    named = _by_protocol(entries(results, choice.ignore), records, known)
    named = [entry._replace(label=_printed(entry, names)) for entry in named]
    cells, twice = _cells(named, finished, names, metrics)
    titles = {label: title(method) for _, method, label in named}
    chance = {label for _, method, label in named if not method.own and method.name == RANDOM}
    first = match(choice.sort, measured, "sort") if choice.sort else metrics[0]
    methods = sorted(titles, key=lambda label: (label in chance, -_strength(cells, label, first), label))
    if choice.methods:
        methods = [label for name in choice.methods for label in called(name, titles, "methods")]
    return Study(
        cells={cell: sources for cell, sources in cells.items() if cell.method in methods},
        methods=methods,
        titles=titles,
        data={names.get(name, name): name for name in known},
        chance=chance,
        metrics=metrics,
        records=records,
        left_out=[*left_out, *twice],
        notes=[*_notes_on_protocols(known), *_notes_on_code(records)],
    )


def match(name: str, known: Sequence[str], key: str) -> str:
    """The name among those that there are, upper and lower case alike.

    Raises:
        ValueError: There is none; says which there are.
    """
    by_lower = {one.lower(): one for one in known}
    if name.lower() not in by_lower:
        close = difflib.get_close_matches(name.lower(), by_lower, n=1)
        hint = f" Did you mean {by_lower[close[0]]}?" if close else ""
        msg = f"{key}={name}: the runs have no such metric.{hint} They have {', '.join(known)}."
        raise ValueError(msg)
    return by_lower[name.lower()]


def called(name: str, titles: Mapping[str, str], key: str) -> list[str]:
    """Display names of a method: the one that is meant, or all settings of it.

    Args:
        name: Display name, name in the config, or first word of a baseline (``lsh``).
        titles: Names without settings by display name.
        key: What the user has set.

    Raises:
        ValueError: There is no such method; says which there are.
    """
    spellings = (
        [label for label in titles if label.lower() == name.lower()],
        [label for label, title in titles.items() if title.lower() == name.lower()],
        [label for label, title in titles.items() if title.lower().partition(" ")[0] == name.lower()],
    )
    for labels in spellings:
        if labels:
            return labels
    msg = f"{key}={name}: the runs have no such method. They have {', '.join(titles)}."
    raise ValueError(msg)


def _by_protocol(
    named: Sequence[Entry], records: Sequence[Record], known: Mapping[str, Sequence[Protocol]]
) -> list[Entry]:
    """Number the protocols in the names of methods that do not say which one they were measured by."""
    number = {place: i for several in known.values() for i, one in enumerate(several, 1) for place in one.places}
    of_label: dict[tuple[str, str], set[int]] = defaultdict(set)
    for place, _, label in named:
        of_label[records[place].data, label].add(number[place])
    return [
        entry._replace(label=f"{entry.label} (protocol {number[entry.place]})")
        if len(of_label[records[entry.place].data, entry.label]) > 1
        else entry
        for entry in named
    ]


def _printed(entry: Entry, names: Mapping[str, str]) -> str:
    """Display name as it is to be printed: the user may spell a method otherwise, with whatever settings."""
    plain = title(entry.method)
    return names.get(plain, plain) + entry.label.removeprefix(plain)


def _cells(
    named: Sequence[Entry], finished: Sequence[Finished], names: Mapping[str, str], metrics: Sequence[str]
) -> tuple[dict[Cell, dict[int, Source]], list[LeftOut]]:
    """Sources by cell and seed; of a run that was made twice the later one, and the earlier one is left out.

    A baseline stands in many runs, with the same numbers: it counts once.
    """
    cells: dict[Cell, dict[int, Source]] = defaultdict(dict)
    left_out: dict[Path, LeftOut] = {}
    sets = test_sets(finished)
    for place, method, label in sorted(named, key=lambda entry: finished[entry.place].run.written()):
        run, result, per_query = finished[place]
        record = result.record
        cell = Cell(names.get(record.data, record.data), label, method.bits)
        by_metric = {name: per_query[f"{method.name}/{name}"] for name in metrics if name in result.scores[method.name]}
        earlier = cells[cell].get(record.seed)
        cells[cell][record.seed] = Source(
            run, method.name, method == record.methods[0], sets[record.checksum], result.scores[method.name], by_metric
        )
        if earlier and method.own:
            what = f"{record.method} on {record.data}, {record.bits} bits, seed {record.seed}"
            why = f"{what} was trained again later: {run.folder}"
            left_out[earlier.run.folder] = LeftOut(earlier.run.folder, why)
    return dict(cells), list(left_out.values())


def _strength(cells: Mapping[Cell, Mapping[int, Source]], label: str, metric: str) -> float:
    """Mean of a metric over all that a method has; below any metric where it has none."""
    values = [
        source.scores[metric]["expected"]
        for cell, sources in cells.items()
        for source in sources.values()
        if cell.method == label and metric in source.scores
    ]
    return mean(values) if values else -1.0


def _notes_on_protocols(known: Mapping[str, Sequence[Protocol]]) -> list[str]:
    notes = []
    for data, several in known.items():
        if len(several) > 1:
            notes.append(
                f"{data}: runs of {len(several)} protocols stand in one table, as mixed=true was said;"
                " their numbers cannot be compared, and they are not tested against each other."
            )
        if any(len(set(one.checksums.values())) > 1 for one in several):
            notes.append(
                f"{data}: each seed draws splits of its own, so the spread over seeds is that of the splits as well."
            )
    return notes


def _notes_on_code(records: Sequence[Record]) -> list[str]:
    commits = sorted({str(record.versions.get("commit") or "unknown")[:12] for record in records})
    return (
        [f"The runs were made by {len(commits)} versions of the code: {first_few(commits)}."]
        if len(commits) > 1
        else []
    )
