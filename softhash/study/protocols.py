"""Which runs were measured on the same queries, database and training images, and so may stand in one table."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from softhash.report.tables import is_below
from softhash.runs.folder import Record, Run
from softhash.study.folders import Finished
from softhash.text import first_few


@dataclass
class Protocol:
    """Runs on one data set that are measured alike.

    Attributes:
        counts: Images by split.
        checksums: Of the splits, by seed; several where each seed draws its own.
        settings: Overrides of the data set that the runs have, a set for each way to say it.
        places: Positions of the runs.
    """

    counts: dict[str, int]
    checksums: dict[int, str] = field(default_factory=dict)
    settings: set[frozenset[str]] = field(default_factory=set)
    places: list[int] = field(default_factory=list)

    def takes(self, record: Record, settings: frozenset[str]) -> bool:
        """Whether a run has the same splits, or other ones only because it has another seed."""
        if record.checksum in self.checksums.values():
            return self.checksums.get(record.seed, record.checksum) == record.checksum
        return record.seed not in self.checksums and record.counts == self.counts and settings in self.settings


def protocols(records: Sequence[Record], ignore: Sequence[str] = ()) -> dict[str, list[Protocol]]:
    """Protocols of each data set.

    Splits may be drawn by the seed of a run: another checksum for another seed is no other protocol, as long as the
    counts and the settings of the data are the same. Another checksum for the same seed is.

    Args:
        records: What the runs are.
        ignore: Keys of overrides that do not change the data.
    """
    known: dict[str, list[Protocol]] = defaultdict(list)
    for place, record in enumerate(records):
        settings = frozenset(
            text
            for text in record.overrides
            if is_below(text.partition("=")[0], ["data"]) and not is_below(text.partition("=")[0], ignore)
        )
        fits = [protocol for protocol in known[record.data] if protocol.takes(record, settings)]
        if not fits:
            fits = [Protocol(record.counts)]
            known[record.data] += fits
        fits[0].checksums.setdefault(record.seed, record.checksum)
        fits[0].settings.add(settings)
        fits[0].places.append(place)
    return dict(known)


def refuse_mixed(runs: Sequence[Finished], known: dict[str, list[Protocol]]) -> None:
    """Refuse numbers that cannot be compared.

    Raises:
        ValueError: Says for each protocol of a data set which runs have it, and in what it differs.
    """
    for data, several in known.items():
        if len(several) > 1:
            lines = [f"\n  {_described(protocol, several, runs)}" for protocol in several]
            msg = (
                f"the runs on {data} have {len(several)} protocols, whose numbers cannot be compared:{''.join(lines)}\n"
                "  Name runs of one of them, or say mixed=true to have them in one table, each with lines of its own."
            )
            raise ValueError(msg)


def _described(protocol: Protocol, several: Sequence[Protocol], runs: Sequence[Finished]) -> str:
    common = set.intersection(*({*one.counts.items()} for one in several))
    counts = [f"{name} {count:,}" for name, count in protocol.counts.items() if (name, count) not in common]
    shared = frozenset.intersection(*(settings for one in several for settings in one.settings))
    settings = sorted({text for one in protocol.settings for text in one} - shared)
    what = ", ".join([*counts, *settings, f"checksum {next(iter(protocol.checksums.values()))[:8]}"])
    folders = [str(runs[place].run.folder) for place in protocol.places]
    return f"{what}: {len(folders)} run{'s' * (len(folders) > 1)} ({first_few(folders)})"


def refuse_other_conventions(runs: Sequence[Finished], metrics: Sequence[str]) -> None:
    """Refuse metrics that mean something else in another run.

    Raises:
        ValueError: Names metric, choice and two runs.
    """
    seen: dict[str, tuple[Run, dict[str, object]]] = {}
    for run, result, _ in runs:
        for metric in metrics:
            if metric in result.conventions:
                first, before = seen.setdefault(metric, (run, result.conventions[metric]))
                if before != result.conventions[metric]:
                    msg = (
                        f"{metric} is {before} in {first.folder} and {result.conventions[metric]} in {run.folder}.\n"
                        "  Measure one of them again with softhash evaluate, or choose others with metrics=[...]."
                    )
                    raise ValueError(msg)


def test_sets(runs: Sequence[Finished]) -> dict[str, str]:
    """A name for queries, database and their labels, by the checksum of all splits: runs may differ in training images.

    Where the file with the labels cannot be read, it is the checksum.
    """
    names: dict[str, str] = {}
    for run, result, _ in runs:
        checksum = result.record.checksum
        if names.get(checksum, checksum) == checksum:
            names[checksum] = _test_set(run) or checksum
    return names


def _test_set(run: Run) -> str | None:
    labels = Run(run.folder)  # which forgets them afterwards
    try:
        parts = [labels.relevance.digest(), *("\n".join(names.tolist()) for names in labels.ids())]
    except (ValueError, OSError):
        return None
    return hashlib.sha256("\n\n".join(parts).encode()).hexdigest()
