"""Codes of named images: what encoding writes, and indexing reads."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.search.names import Names
from softhash.storage.arrays import read_npy, read_npz
from softhash.storage.atomic import atomic_folder, atomic_write
from softhash.text import first_few

FORMAT = 1  # of the files; a reader refuses other ones

_ABOUT, _ARRAYS = "about.json", ("codes", "names", "labels")


@dataclass(frozen=True, eq=False)
class Collection:
    """Codes of named images.

    Attributes:
        codes: ``(N, W)`` packed uint8 as :func:`softhash.functional.codes.pack` gives them, ``W = ceil(bits / 8)``; may
            be mapped from a file.
        names: N different names, such as paths below the folder of the photos; kept as
            :class:`~softhash.search.names.Names`.
        bits: Code length.
        encoder: What made the codes, in words: ``run`` (folder), ``method``, ``checkpoint`` (SHA-256 of the file, in
            hex) and whatever else there is to say. Codes of another checkpoint are not comparable.
        labels: ``(N, C)`` uint8 multi-hot, or None where labels are not known.
        label_names: C names; empty without labels.

    Raises:
        ValueError: It is empty, or its parts do not fit together; says which.

    Example:
        >>> codes = np.array([[9], [1]], dtype=np.uint8)
        >>> Collection(codes, ["a.jpg", "b.jpg"], bits=4, encoder={}).names[1]
        'b.jpg'
    """

    codes: NDArray[np.uint8]
    names: Sequence[str]
    bits: int
    encoder: Mapping[str, str]
    labels: NDArray[np.uint8] | None = None
    label_names: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        """Check what does not need a pass over all names."""
        object.__setattr__(self, "names", Names.of(self.names))
        object.__setattr__(self, "label_names", tuple(self.label_names))
        problem = next(self._problems(), None)
        if problem is not None:
            raise ValueError(problem)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.codes)

    def _problems(self) -> Iterator[str]:
        codes, labels = self.codes, self.labels
        if type(self.bits) is not int or self.bits < 1:
            yield f"bits must be a whole number of at least 1, got {self.bits!r}"
        if codes.dtype != np.uint8 or codes.ndim != 2:
            yield f"codes must be (N, W) uint8, got shape {codes.shape} of {codes.dtype}"
        if not len(codes):
            yield "there are no codes"
        if codes.shape[1] != -(-self.bits // 8):
            yield f"codes have {codes.shape[1]} bytes each, but {self.bits} bits take {-(-self.bits // 8)}"
        if self.bits % 8 and int(codes[:, -1].max()) >> self.bits % 8:
            yield f"codes have bits set beyond the first {self.bits}"
        if len(self.names) != len(codes):
            yield f"there are {len(codes)} codes but {len(self.names)} names"
        if not all(isinstance(text, str) for pair in self.encoder.items() for text in pair):
            yield f"encoder must map texts to texts, got {dict(self.encoder)}"
        if (labels is None) != (not self.label_names):
            yield "labels need names, and names of labels need labels; one of them is missing"
        if labels is not None and (labels.dtype != np.uint8 or labels.shape != (len(codes), len(self.label_names))):
            yield (
                f"labels must be ({len(codes)}, {len(self.label_names)}) uint8, codes by names of labels, got shape"
                f" {labels.shape} of {labels.dtype}"
            )

    def check_names(self) -> None:
        """Refuse names that stand there more than once.

        Raises:
            ValueError: Names the first ones.
        """
        repeated = Names.of(self.names).twice()
        if repeated:
            msg = f"{len(repeated)} names are not unique: {first_few(repeated)}"
            raise ValueError(msg)

    def write(self, path: Path) -> None:
        """Write an npz file where ``path`` ends in ``.npz``, else a folder of npy files, which is mapped when read.

        What is written is whole or not there at all.

        Raises:
            ValueError: Names are not unique, or ``path`` is a folder of something else.
            OSError: The disk is full or the folder not writable.
        """
        self.check_names()
        if path.suffix == ".npz":
            about, arrays = self._stored()
            with atomic_write(path) as aside:
                np.savez(aside, about=np.array(json.dumps(about)), **arrays)
            return
        if path.exists() and not (path / _ABOUT).is_file():
            msg = f"{path} is there already and holds no codes; delete it, or choose another path"
            raise ValueError(msg)
        with atomic_folder(path) as aside:
            self.write_files(aside)

    def write_files(self, folder: Path) -> None:
        """Write npy files into a folder that is there, beside what else it holds.

        Raises:
            OSError: The disk is full or the folder not writable.
        """
        about, arrays = self._stored()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", np.ascontiguousarray(array))
        (folder / _ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    def _stored(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is written: what the collection says of itself, and arrays."""
        about = {
            "format": FORMAT,
            "count": len(self),
            "bits": self.bits,
            "encoder": dict(self.encoder),
            "label_names": list(self.label_names),
        }
        arrays = {"codes": self.codes, "names": Names.of(self.names).text, "labels": self.labels}
        return about, {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def read(cls, path: Path) -> "Collection":
        """Read what :meth:`write` wrote; arrays of a folder are mapped into memory.

        Raises:
            FileNotFoundError: There is nothing.
            ValueError: It is damaged, cut short, of another version, or something else.
        """
        if not path.exists():
            msg = f"there are no codes at {path}; softhash encode writes some"
            raise FileNotFoundError(msg)
        arrays: dict[str, Any]
        if path.is_dir():
            if not (path / _ABOUT).is_file():
                msg = f"{path} holds no codes: it has no {_ABOUT}"
                raise ValueError(msg)
            stored = [name for name in _ARRAYS if (path / f"{name}.npy").exists()]
            arrays = {name: read_npy(path / f"{name}.npy", str(path / f"{name}.npy")) for name in stored}
            text = (path / _ABOUT).read_text(encoding="utf-8", errors="replace")
        else:
            arrays = dict(read_npz(path, str(path)))
            text = str(arrays.pop("about", ""))
        try:
            return cls._of(_about(text), arrays)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            why = f"it lacks {error}" if isinstance(error, KeyError) else error
            msg = f"{path} is damaged, or no codes: {why}"
            raise ValueError(msg) from error

    @classmethod
    def _of(cls, about: dict[str, Any], arrays: dict[str, Any]) -> "Collection":
        names = Names(arrays["names"])
        made = cls(
            arrays["codes"], names, about["bits"], about["encoder"], arrays.get("labels"), tuple(about["label_names"])
        )
        if len(made) != about["count"]:
            msg = f"it has {len(made)} codes of {about['count']}"
            raise ValueError(msg)
        return made

    def take(self, rows: NDArray[np.int64]) -> "Collection":
        """Images at ``(n,)`` positions."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, codes=self.codes[rows], names=Names.of(self.names).take(rows), labels=labels)

    def labels_of(self, row: int) -> list[str]:
        """Names of the labels of an image; empty where they are not known."""
        if self.labels is None:
            return []
        return [self.label_names[number] for number in np.flatnonzero(self.labels[row]).tolist()]

    def joined(self, other: "Collection") -> "Collection":
        """These images, and those of another collection after them.

        Raises:
            ValueError: They have codes of another length or another encoder, other labels, or a name in common.
        """
        self.check_encoder(other.encoder, other.bits)
        if tuple(self.label_names) != tuple(other.label_names):
            mine, others = (", ".join(part.label_names) or "none" for part in (self, other))
            msg = f"labels differ: {mine} here, {others} in what is to be added"
            raise ValueError(msg)
        labels = None if self.labels is None else np.concatenate([self.labels, other.labels])
        text = np.concatenate([Names.of(part.names).text for part in (self, other)])
        both = replace(self, codes=np.concatenate([self.codes, other.codes]), names=Names(text), labels=labels)
        both.check_names()
        return both

    def check_encoder(self, encoder: Mapping[str, str], bits: int) -> None:
        """Refuse codes or queries that do not compare with these codes.

        Args:
            encoder: What made them, as :attr:`encoder`.
            bits: Their code length.

        Raises:
            ValueError: The code length or the checkpoint is another one.
        """
        if bits != self.bits:
            msg = f"these are codes of {self.bits} bits, and {_described(encoder)} gives {bits}; they do not compare"
            raise ValueError(msg)
        if encoder.get("checkpoint") != self.encoder.get("checkpoint"):
            msg = (
                f"these codes come from {_described(self.encoder)}, and not from {_described(encoder)};"
                " codes of two runs do not compare"
            )
            raise ValueError(msg)


def _described(encoder: Mapping[str, str]) -> str:
    """An encoder for messages."""
    checkpoint = encoder.get("checkpoint", "unknown")[:12]
    return (
        f"{encoder.get('run', 'an unknown run')} ({encoder.get('method', 'unknown method')}, checkpoint {checkpoint})"
    )


def _about(text: str) -> dict[str, Any]:
    """What a file says of itself.

    Raises:
        ValueError: It is no JSON object, or of another version.
    """
    about = json.loads(text)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        msg = f"it has the format {found}; this version of softhash reads {FORMAT}"
        raise ValueError(msg)
    return about
