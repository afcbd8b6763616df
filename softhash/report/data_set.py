"""What a data set holds and what is wrong with it: a report to read, and to paste in a question."""

import hashlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from softhash.data.base import RetrievalDataModule
from softhash.data.decode import decode
from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import SPLITS, Catalogue
from softhash.storage.archive import Files
from softhash.text import first_few

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
        title: Name of the data set.
        counts: Number of images in each split.
        checksum: Checksum of the protocol; empty where the splits could not be made.
        facts: Numbers about the labels, by their names.
        class_counts: Number of images with each label, over all splits.
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
            lines += ["", f"- {mark}: {len(finding.names):,} {finding.what}: {first_few(finding.names)}"]
        return "\n".join([*lines, "", "Fit for training." if self.ok else "Not fit for training.", ""])


def verify(data: RetrievalDataModule, title: str) -> Verification:
    """Look at every image and label of a data set; shows progress.

    Args:
        data: Not set up yet, or set up.
        title: Title of the report.
    """
    findings: list[Finding] = []
    unusable: list[str] = []
    catalogue = data.catalogue(data.files) if isinstance(data, PhotoDataModule) else None
    if isinstance(data, PhotoDataModule) and catalogue:
        findings, unusable = _photo_findings(data, catalogue)
    try:
        data.setup()
    except (ValueError, OSError) as error:
        return Verification(title, findings=[*findings, Finding("error", [str(error)], True)], to_exclude=unusable)
    if isinstance(data, PhotoDataModule) and catalogue:
        findings += _left_out(data, catalogue)
    class_counts: dict[str, int] = {}
    if data.matrix is not None:
        facts = _similarity_facts(data)
    else:
        facts, class_counts = _label_facts(data, findings)
    counts = {name: len(data.sets[name]) for name in SPLITS}
    return Verification(title, counts, data.checksum(), facts, class_counts, findings, unusable)


def _label_facts(data: RetrievalDataModule, findings: list[Finding]) -> tuple[dict[str, str], dict[str, int]]:
    """Label statistics and images per class; appends unlabelled images and empty classes to ``findings``."""
    whole = data.whole()
    unlabelled = whole.ids[whole.labels.numpy().max(1) == 0].tolist()
    if unlabelled:
        findings.append(Finding("images without labels", unlabelled, False))
    class_counts = dict(zip(data.class_names, whole.labels.sum(0, dtype=torch.int64).tolist(), strict=True))
    absent = [name for name, count in class_counts.items() if not count]
    if absent:
        findings.append(Finding("classes without images", absent, False))
    pairs = pair_shares(data.sets["query"].labels, data.sets["database"].labels)
    counts = whole.labels.sum(1).float()
    facts = {
        "images": f"{len(whole):,}",
        "classes": f"{len(data.class_names)}",
        "labels per image": f"{counts.mean():.2f} on average, at most {counts.max():.0f}",
        "pairs of query and database": ", ".join(f"{share:.2%} {name}" for name, share in pairs.items()),
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
        "images": f"{len(data.whole()):,}",
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
    peculiarity: str
    pixels: bytes


def _photo_findings(data: PhotoDataModule, catalogue: Catalogue) -> tuple[list[Finding], list[str]]:
    """Everything about the photos that the lists name, and those among them that cannot be used."""
    excluded = set(data.excluded(catalogue.ids))
    findings = _differences(data, catalogue.parts.tolist())
    missing = data.files.missing(catalogue.ids.tolist())
    there = sorted(set(catalogue.ids.tolist()) - set(missing))
    looks = dict(zip(there, _looks(data.files, there, data.num_workers), strict=True))
    broken = [name for name, look in looks.items() if look.error]
    peculiar, pictures = defaultdict(list), defaultdict(list)
    for name, look in looks.items():
        if look.peculiarity:
            peculiar[look.peculiarity].append(name)
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
    findings += [Finding(f"photos that are {what}", names, False) for what, names in sorted(peculiar.items())]
    return findings, sorted([*missing, *broken])


def _left_out(data: PhotoDataModule, catalogue: Catalogue) -> list[Finding]:
    """Photos that could be used but are in none of the splits, with the official splits, if any, that they are in."""
    names = np.array([*data.skipped, *data.whole().ids.tolist()])
    left = ~np.isin(catalogue.ids, names)
    reasons = [f" ({part or 'of no official split'})" for part in catalogue.parts[left].tolist()]
    if not (catalogue.parts != "").any():
        reasons = [""] * len(reasons)
    described = [name + reason for name, reason in zip(catalogue.ids[left].tolist(), reasons, strict=True)]
    return [Finding("photos in no split", described, False)] if described else []


def _differences(data: PhotoDataModule, parts: Sequence[str]) -> list[Finding]:
    """Where the lists have another number of photos than was published."""
    listed = {part: sum(part in names.split() or part == names for names in parts) for part in data.published}
    wrong = [
        f"{part or 'all'} ({listed[part]:,} listed, {count:,} published)"
        for part, count in data.published.items()
        if listed[part] and listed[part] != count
    ]
    return [Finding("official splits with another number of photos than published", wrong, True)] if wrong else []


def _looks(files: Files, names: list[str], num_workers: int) -> list[_Look]:
    """Decode all photos, in several processes."""
    photos = _Looking(files, files.positions(names))
    loader: DataLoader[_Look] = DataLoader(photos, _CHUNK, num_workers=num_workers, collate_fn=list)
    return [look for chunk in track(loader, f"looking at {len(names):,} photos", transient=True) for look in chunk]


class _Looking(Dataset[_Look]):
    """Photos, as they are looked at."""

    def __init__(self, files: Files, positions: NDArray[np.int64]) -> None:
        self.files, self.positions = files, positions

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, row: int) -> _Look:
        try:
            data = self.files.read_at(int(self.positions[row]))
            pixels, peculiarity = decode(data), _peculiarity(data)
        except (ValueError, OSError, Image.DecompressionBombError) as error:
            return _Look(str(error), "", b"")
        return _Look("", peculiarity, hashlib.blake2b(pixels.numpy().tobytes(), digest_size=16).digest())


def _peculiarity(data: bytes) -> str:
    """What makes a picture other than plain RGB, if anything does."""
    with Image.open(io.BytesIO(data)) as image:
        mode = {"RGB": "", "L": "grey", "1": "black and white", "P": "with a palette"}.get(image.mode, image.mode)
        turned = "" if image.getexif().get(_ORIENTATION, 1) == 1 else "turned by their EXIF orientation"
        animated = "animated" if getattr(image, "n_frames", 1) > 1 else ""
    return ", ".join(part for part in (mode, turned, animated) if part)
