"""What a data set holds and what is wrong with it: a report to read, and to paste in a question."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from softhash.data.base import SETS, RetrievalDataModule
from softhash.data.decode import Files, decode, some
from softhash.data.photos import PhotoDataModule

_QUERIES = 256  # compared with the database at once
_CHUNK = 64  # photos looked at by one process at once
_ORIENTATION = 0x0112  # EXIF tag; 1 is upright


@dataclass(frozen=True)
class Finding:
    """Something about some images.

    Attributes:
        what: A few words, such as ``missing``.
        names: The images, with what there is to say about each in brackets.
        serious: Training is refused, or its results are worth nothing.
    """

    what: str
    names: list[str]
    serious: bool


@dataclass(frozen=True)
class Verification:
    """The report on one data set.

    Attributes:
        title: Of the data set.
        counts: Images of each set.
        checksum: Of the protocol; empty where the sets could not be made.
        facts: Numbers about the labels, by their names.
        class_counts: Images with each label, over all sets.
        findings: What is wrong or remarkable.
        to_exclude: Photos that are missing or cannot be read, as ``data.exclude`` takes them.
    """

    title: str
    counts: dict[str, int] = field(default_factory=dict)
    checksum: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    class_counts: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    to_exclude: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing serious was found."""
        return not any(finding.serious for finding in self.findings)

    def text(self) -> str:
        """The report in Markdown."""
        lines = [f"# {self.title}", ""]
        lines += [f"- {name}: {count:,}" for name, count in self.counts.items()]
        lines += [f"- {name}: {value}" for name, value in self.facts.items()]
        lines += [f"- protocol checksum: {self.checksum}"] if self.checksum else []
        if self.class_counts:
            classes = ", ".join(f"{name} {count:,}" for name, count in self.class_counts.items())
            lines += ["", f"Images of each class: {classes}"]
        for finding in self.findings:
            mark = "**problem**" if finding.serious else "note"
            lines += ["", f"- {mark}: {len(finding.names):,} {finding.what}: {some(finding.names)}"]
        return "\n".join([*lines, "", "Fit for training." if self.ok else "Not fit for training.", ""])


def verify(data: RetrievalDataModule, title: str) -> Verification:
    """Look at every image and label of a data set; shows progress.

    Args:
        data: Not set up yet, or set up.
        title: Of the report.
    """
    findings: list[Finding] = []
    unusable: list[str] = []
    if isinstance(data, PhotoDataModule):
        findings, unusable = _photo_findings(data)
    try:
        data.setup()
    except (ValueError, OSError) as error:
        return Verification(title, findings=[*findings, Finding("error", [str(error)], True)], to_exclude=unusable)
    class_counts: dict[str, int] = {}
    if data.matrix is not None:
        facts = _similarity_facts(data)
    else:
        facts, class_counts = _label_facts(data, findings)
    return Verification(
        title,
        {name: len(data.sets[name]) for name in SETS},
        data.checksum(),
        facts,
        class_counts,
        findings,
        unusable,
    )


def _label_facts(data: RetrievalDataModule, findings: list[Finding]) -> tuple[dict[str, str], dict[str, int]]:
    """Numbers about labels, and images with each; adds to the findings what is missing."""
    first = torch.from_numpy(data.images()[1])
    labels = torch.cat([data.sets[name].labels for name in SETS])[first]
    unlabelled = np.concatenate([data.sets[name].ids for name in SETS])[first.numpy()][labels.numpy().max(1) == 0]
    if len(unlabelled):
        findings.append(Finding("images without labels", unlabelled.tolist(), False))
    class_counts = dict(zip(data.class_names, labels.sum(0, dtype=torch.int64).tolist(), strict=True))
    absent = [name for name, count in class_counts.items() if not count]
    if absent:
        findings.append(Finding("classes without images", absent, False))
    pairs = pair_shares(data.sets["query"].labels, data.sets["database"].labels)
    counts = labels.sum(1).float()
    facts = {
        "images": f"{len(labels):,}",
        "classes": f"{len(data.class_names)}",
        "labels an image": f"{counts.mean():.2f} on average, at most {counts.max():.0f}",
        "pairs of query and database": ", ".join(f"{share:.2%} {kind}" for kind, share in pairs.items()),
    }
    return facts, class_counts


def _similarity_facts(data: RetrievalDataModule) -> dict[str, str]:
    """Numbers about given similarities."""
    relevance = data.relevance("query", "database")
    num_query, num_database = relevance.shape
    pairs, similar, total, items = num_query * num_database, 0, 0.0, torch.arange(num_database)
    for queries in torch.arange(num_query).split(_QUERIES):
        grades = relevance.between(queries, items)
        similar += int((grades > 0).sum())
        total += grades.sum(dtype=torch.float64).item()
    return {
        "images": f"{len(data.images()[0]):,}",
        "pairs of query and database": f"{similar / pairs:.2%} similar; similarity {total / pairs:.3f} on average",
    }


def pair_shares(query: Tensor, database: Tensor, block: int = 256) -> dict[str, float]:
    """Shares of the pairs that have identical labels, some in common, or none.

    Args:
        query: ``(Q, C)`` multi-hot.
        database: ``(N, C)`` multi-hot.
        block: Queries compared at once.

    Returns:
        Shares of ``identical`` (at least one label, and the same), ``partly similar`` and ``disjoint`` pairs;
        images without labels are disjoint from all. They sum to 1.

    Example:
        >>> pair_shares(torch.tensor([[1, 1, 0]]), torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]))
        {'identical': 0.25, 'partly similar': 0.25, 'disjoint': 0.5}
    """
    searched = database.float()
    sizes = searched.sum(1)
    identical = similar = 0
    for start in range(0, len(query), block):
        some_queries = query[start : start + block].float()
        shared = some_queries @ searched.T
        same = (shared == sizes) & (shared == some_queries.sum(1, keepdim=True)) & (shared > 0)
        identical += int(same.sum())
        similar += int((shared > 0).sum())
    pairs = len(query) * len(database)
    shares = (identical, similar - identical, pairs - similar)
    return dict(zip(("identical", "partly similar", "disjoint"), (share / pairs for share in shares), strict=True))


class _Look(NamedTuple):
    """What was seen of one photo."""

    error: str
    kind: str
    pixels: bytes


def _photo_findings(data: PhotoDataModule) -> tuple[list[Finding], list[str]]:
    """Everything about the photos that the lists name, and those among them that cannot be used."""
    files = data.files()
    catalogue = data.catalogue(files)
    excluded = set(data.excluded(catalogue.ids))
    findings = _differences(data, catalogue.parts.tolist())
    missing = files.missing(catalogue.ids.tolist())
    gone = set(missing)
    there = [name for name in np.unique(catalogue.ids).tolist() if name not in gone]
    looks = dict(zip(there, _looks(files, there, data.num_workers), strict=True))
    broken = [name for name, look in looks.items() if look.error]
    kinds, pictures = defaultdict(list), defaultdict(list)
    for name, look in looks.items():
        if look.kind:
            kinds[look.kind].append(name)
        if look.pixels:
            pictures[look.pixels].append(name)
    twins = [" = ".join(names) for names in pictures.values() if len(names) > 1]
    reasons = [f"{name} ({looks[name].error})" for name in broken]
    if missing:
        findings.append(Finding("missing photos", missing, data.missing == "refuse"))
    if broken:
        findings.append(Finding("photos that cannot be decoded", reasons, not set(broken) <= excluded))
    if twins:
        findings.append(Finding("pictures that are there more than once", twins, False))
    findings += [Finding(f"photos that are {kind}", names, False) for kind, names in sorted(kinds.items())]
    return findings, sorted([*missing, *broken])


def _differences(data: PhotoDataModule, parts: Sequence[str]) -> list[Finding]:
    """Where the lists have another number of photos than was published."""
    found = {part: sum(part in own.split() or part == own for own in parts) for part in data.published}
    wrong = [
        f"{part or 'all'} ({found[part]:,} listed, {count:,} published)"
        for part, count in data.published.items()
        if found[part] and found[part] != count
    ]
    return [Finding("parts with another number of photos than published", wrong, True)] if wrong else []


def _looks(files: Files, names: list[str], num_workers: int) -> list[_Look]:
    """Decode all photos, in several processes."""
    loader: DataLoader[_Look] = DataLoader(_Looking(files, names), _CHUNK, num_workers=num_workers, collate_fn=list)
    return [look for chunk in track(loader, f"looking at {len(names):,} photos", transient=True) for look in chunk]


class _Looking(Dataset[_Look]):
    """Photos, as they are looked at."""

    def __init__(self, files: Files, names: list[str]) -> None:
        self.files, self.names = files, names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, row: int) -> _Look:
        try:
            data = self.files.read(self.names[row])
            pixels = decode(data)
        except ValueError as error:
            return _Look(str(error), "", b"")
        return _Look("", _kind(data), hashlib.blake2b(pixels.numpy().tobytes(), digest_size=16).digest())


def _kind(data: bytes) -> str:
    """What makes a picture other than plain RGB, if anything does."""
    with Image.open(io.BytesIO(data)) as image:
        mode = {"RGB": "", "L": "grey", "1": "black and white", "P": "with a palette"}.get(image.mode, image.mode)
        turned = "" if image.getexif().get(_ORIENTATION, 1) == 1 else "turned by their EXIF orientation"
        animated = "animated" if getattr(image, "n_frames", 1) > 1 else ""
    return ", ".join(part for part in (mode, turned, animated) if part)
