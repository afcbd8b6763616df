"""The folder of a run: every file in it has its name, its writer and its reader here."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
import yaml
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from torch import nn

from softhash.data.preprocessing import Preprocessing
from softhash.ranking.relevance import Relevance, relevance_of
from softhash.runs.build import build
from softhash.storage.atomic import atomic_write, clear_leftovers
from softhash.types import Codes

FORMAT = 2  # of run.json and what it describes; a reader refuses other ones

_RELAXED_ROWS = 2048  # of the database, whose relaxed codes are kept for the figures of the page
_CONFIG, _RECORD, _METRICS, _PAGE, _LOCK = "config.yaml", "run.json", "metrics.json", "index.html", ".lock"
_ERROR = "error.txt"
_CONTACT = 1.0  # seconds in which one who only looks whether a folder is locked lets go again
_PER_QUERY, _CURVES, _LABELS = "per_query.npz", "curves.npz", "codes/labels.npz"
_OVERRIDES = ".hydra/overrides.yaml"
_NO_IMAGES = "softhash.backbones.features.Features"  # the backbone of data that are features
_LOGS = "metrics/version_*/metrics.csv"

Arrays = dict[str, NDArray[Any]]
Scores = dict[str, dict[str, float]]  # of a method: by metric, then expected, worst and best


class Method(NamedTuple):
    """Whose codes a run holds.

    Attributes:
        name: Also of the file of its codes.
        bits: Code length.
        own: It is what the run has trained, not what that is compared with.
    """

    name: str
    bits: int
    own: bool


@dataclass(frozen=True)
class Record:
    """What a run is, known before it has trained.

    Attributes:
        method: Name of the method's config.
        data: Name of the data set's config.
        bits: Code length that was asked for.
        seed: Seed of the run.
        overrides: Everything else that was set on the command line.
        checksum: SHA-256 of the names and labels of all splits.
        counts: Images by split.
        methods: Own methods first, then what they are compared with.
        versions: Of Python, libraries and code.
        metrics: Options of the group ``metric``.
        top_k: Cut-off of mAP@k.
        seconds: How long training and encoding took, once they have.

    Raises:
        ValueError: A code length or the cut-off is no integer, or a name of a metric is none.
    """

    method: str
    data: str
    bits: int
    seed: int
    overrides: list[str]
    checksum: str
    counts: dict[str, int]
    methods: list[Method]
    versions: dict[str, str]
    metrics: list[str]
    top_k: int | None
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what other code relies on, as the file may come from somebody else."""
        numbers = [self.bits, *(method.bits for method in self.methods), *([] if self.top_k is None else [self.top_k])]
        wrong: list[object] = [value for value in numbers if type(value) is not int]
        wrong += [name for name in self.metrics if not (isinstance(name, str) and name.isidentifier())]
        if wrong:
            msg = f"bits and top_k should be integers, and metrics names; got {wrong[0]!r}"
            raise ValueError(msg)

    def identity(self) -> dict[str, Any]:
        """What tells the run from others, as it stands in ``run.json`` and ``metrics.json``."""
        return {
            "method": self.method,
            "data": self.data,
            "bits": self.bits,
            "seed": self.seed,
            "overrides": self.overrides,
            "protocol": {"checksum": self.checksum, "counts": self.counts},
        }


@dataclass(frozen=True)
class Result:
    """What the codes of a run are worth.

    Attributes:
        record: The run.
        scores: By method, metric and order of ties: ``scores["idhn"]["mAP"]["expected"]``.
        conventions: The choices that a number depends on, by metric.
        queries_without_relevant: Queries for which the database has nothing.
    """

    record: Record
    scores: dict[str, Scores]
    conventions: dict[str, dict[str, Any]]
    queries_without_relevant: int

    @property
    def methods(self) -> list[Method]:
        """Those that have been measured, in the order of the run."""
        return [method for method in self.record.methods if method.name in self.scores]

    @property
    def metrics(self) -> list[str]:
        """Names of metrics in order, whichever method has them."""
        return list(dict.fromkeys(name for scores in self.scores.values() for name in scores))


class Series(NamedTuple):
    """What was logged under one name, by optimisation step; the epoch counts from 0."""

    steps: list[int]
    epochs: list[int]
    values: list[float]


class BusyError(OSError):
    """Another process writes a run folder."""


class Run:
    """A run folder.

    Readers say which file is missing or damaged; writers leave the old file or the new one, never half of one.

    Args:
        folder: Need not exist yet.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def measured(cls, parent: Path, pattern: str) -> "list[Run]":
        """Runs below a folder that have been measured and whose own folder is named like a pattern, sorted."""
        return [cls(path.parent) for path in sorted(parent.rglob(f"{pattern}/{_METRICS}"))]

    @property
    def exists(self) -> bool:
        """Whether a run has begun here."""
        return (self.folder / _RECORD).is_file() or (self.folder / "checkpoints").is_dir()

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end: it is measured, and has its page, which comes last."""
        return (self.folder / _METRICS).is_file() and self.page.is_file()

    @property
    def is_locked(self) -> bool:
        """Whether a process writes here now."""
        lock = FileLock(self.folder / _LOCK)
        try:
            if not (self.folder / _LOCK).is_file():
                return False
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:  # of somebody else
            return False
        lock.release()
        return False

    def refuse_taken(self) -> None:
        """Refuse a folder in which a run has begun to a new one.

        Raises:
            ValueError: Names it.
        """
        if self.exists:
            msg = (
                f"{self.folder} has a run already.\n"
                f"  Go on with it by run={self.folder}, or take another folder with hydra.run.dir=FOLDER."
            )
            raise ValueError(msg)

    @property
    def page(self) -> Path:
        """The page of the run."""
        return self.folder / _PAGE

    @property
    def best(self) -> Path:
        """Weights of the epoch that was best on validation."""
        return self.folder / "checkpoints" / "best.ckpt"

    @property
    def last(self) -> Path:
        """State after the last whole epoch, from which a run is resumed."""
        return self.folder / "checkpoints" / "last.ckpt"

    def exported(self, suffix: str) -> Path:
        """The encoder as a graph of another format, such as ``.onnx``."""
        return self.folder / "exported" / f"encoder{suffix}"

    def artifacts(self) -> dict[str, list[Path]]:
        """Files of a finished run that others can use: ``codes``, and ``encoder`` for :meth:`encoder`."""
        about = [self.folder / name for name in (_CONFIG, _RECORD)]
        codes = sorted((self.folder / _LABELS).parent.glob("*.npz"))
        return {"codes": [*about, *codes], "encoder": [*about, self.best]}

    def picture(self, name: str) -> Path:
        """PNG of a figure of the page."""
        return self.folder / "figures" / f"{name}.png"

    def numbers(self, name: str) -> Path:
        """CSV of what a figure of the page shows."""
        return self.folder / "figures" / f"{name}.csv"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that writes here; a process that ends in any way lets go.

        What a killed process has left aside is deleted.

        Raises:
            BusyError: Another process writes this folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / _LOCK)
        try:
            lock.acquire(timeout=_CONTACT)
        except Timeout as error:
            msg = (
                f"another process writes the run folder {self.folder}.\n"
                "  Wait for it, or give this run a folder of its own with hydra.run.dir=FOLDER."
            )
            raise BusyError(msg) from error
        try:
            clear_leftovers(self.folder)
            yield
        finally:
            lock.release()

    def write_error(self, text: str) -> None:
        """Write why the run has failed, for those who look at the folder later."""
        self._write_text(_ERROR, f"{text}\n")

    def forget_error(self) -> None:
        """Delete what :meth:`write_error` wrote: the run is taken up again."""
        (self.folder / _ERROR).unlink(missing_ok=True)

    def error(self) -> str:
        """Why the run has failed; empty where it has not, or could not say so."""
        try:
            return (self.folder / _ERROR).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    @property
    def error_time(self) -> int:
        """When :meth:`write_error` wrote, in nanoseconds; 0 where there is no error."""
        try:
            return (self.folder / _ERROR).stat().st_mtime_ns
        except OSError:
            return 0

    def write_config(self, text: str) -> None:
        """Write the resolved configuration, as YAML."""
        self._write_text(_CONFIG, text)

    def write_overrides(self, overrides: Sequence[str]) -> None:
        """Write what the run was started with, where Hydra writes it for a new one; a resume begins with it."""
        self._write_text(_OVERRIDES, yaml.safe_dump(list(overrides), width=float("inf"), allow_unicode=True))

    def config_text(self) -> str:
        """The resolved configuration, for people; empty where there is none."""
        path = self.folder / _CONFIG
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def config(self) -> dict[str, Any]:
        """The resolved configuration: plain values, of which nothing is executed."""
        try:
            values = yaml.safe_load(self._existing(_CONFIG).read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise _damaged(self.folder / _CONFIG, error) from error
        if not isinstance(values, dict):
            raise _damaged(self.folder / _CONFIG, "no mapping")
        return values

    def write_record(self, record: Record) -> None:
        """Write ``run.json``."""
        content = {
            "format": FORMAT,
            "identity": record.identity(),
            "methods": [method._asdict() for method in record.methods],
            "metrics": record.metrics,
            "top_k": record.top_k,
            "versions": record.versions,
            "seconds": record.seconds,
        }
        self._write_json(_RECORD, content)

    def record(self) -> Record:
        """Read ``run.json``.

        Raises:
            FileNotFoundError: The folder is not that of a run.
            ValueError: The file is damaged, or was written by another version of softhash.
        """
        content = self._read_json(_RECORD)
        if content.get("format") != FORMAT:
            found = content.get("format", "none")
            msg = (
                f"{self.folder / _RECORD} has the format {found}; this version of softhash reads {FORMAT}.\n"
                "  Read the run with the version that wrote it, or train it again."
            )
            raise ValueError(msg)
        try:
            identity = dict(content["identity"])
            protocol = identity.pop("protocol")
            rest = {name: content[name] for name in ("versions", "metrics", "top_k", "seconds")}
            methods = [Method(m["name"], m["bits"], m["own"]) for m in content["methods"]]
            return Record(**identity, checksum=protocol["checksum"], counts=protocol["counts"], methods=methods, **rest)
        except KeyError as error:
            raise _damaged(self.folder / _RECORD, f"it lacks {error}") from error
        except (TypeError, ValueError) as error:
            raise _damaged(self.folder / _RECORD, error) from error

    def written(self) -> float:
        """When ``run.json`` was written last, which is when the codes were: seconds since 1970."""
        return self._existing(_RECORD).stat().st_mtime

    def write_relevance(
        self, relevance: Relevance, query_ids: NDArray[np.str_], database_ids: NDArray[np.str_]
    ) -> None:
        """Write what is relevant to what, and the names of the images."""
        self._write_arrays(_LABELS, query_ids=query_ids, database_ids=database_ids, **relevance.arrays())
        self.__dict__.pop("relevance", None)

    @cached_property
    def relevance(self) -> Relevance:
        """How relevant the images of the database are to the queries."""
        arrays = self._read_arrays(_LABELS)
        try:
            return relevance_of(arrays)
        except KeyError as error:
            raise _damaged(self.folder / _LABELS, f"it lacks {error}") from error

    def ids(self) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
        """Names of the queries and of the images of the database."""
        arrays = self._read_arrays(_LABELS)
        try:
            return arrays["query_ids"], arrays["database_ids"]
        except KeyError as error:
            raise _damaged(self.folder / _LABELS, f"it lacks {error}") from error

    def write_codes(self, method: str, codes: Codes) -> None:
        """Write the codes of queries and database, and the relaxed ones of some of the database."""
        arrays = {name: getattr(codes, name).cpu().numpy() for name in ("query", "database", "relaxed")}
        rows = np.arange(len(codes.relaxed)) if codes.relaxed_rows is None else codes.relaxed_rows.numpy()
        self._write_arrays(_codes(method), bits=np.array(codes.bits), relaxed_rows=rows, **arrays)

    def codes(self, method: str) -> Codes:
        """Read the codes of a method.

        Raises:
            FileNotFoundError: There are none: the run has not reached its end.
            ValueError: The file is damaged, or does not fit the labels.
        """
        path, arrays = self.folder / _codes(method), self._read_arrays(_codes(method))
        try:
            query, database, bits = arrays["query"], arrays["database"], int(arrays["bits"])
            relaxed = torch.from_numpy(arrays["relaxed"])
            rows = arrays.get("relaxed_rows", np.arange(len(relaxed)))  # older runs have the first ones
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, f"it lacks {error}") from error
        for name, part, images in zip(("query", "database"), (query, database), self.relevance.shape, strict=True):
            if len(part) != images:
                raise _damaged(path, f"{len(part)} {name} codes, but {self.folder / _LABELS} has {images} images")
            if part.ndim < 2 or part.shape[1] != -(-bits // 8):
                raise _damaged(path, f"{name} of shape {part.shape} are no codes of {bits} bits")
        if (
            rows.dtype != np.int64
            or rows.shape != (len(relaxed),)
            or (len(rows) and not 0 <= rows.min() <= rows.max() < len(database))
        ):
            raise _damaged(path, f"relaxed_rows are no rows of {len(relaxed)} of its {len(database)} images")
        return Codes(torch.from_numpy(query), torch.from_numpy(database), bits, relaxed, torch.from_numpy(rows))

    def write_result(self, result: Result) -> None:
        """Write ``metrics.json``."""
        content = {
            **result.record.identity(),
            "methods": result.scores,
            "conventions": result.conventions,
            "queries_without_relevant": result.queries_without_relevant,
        }
        self._write_json(_METRICS, content)

    def result(self) -> Result:
        """Read ``metrics.json``; nothing is measured where there is none."""
        content: dict[str, Any] = {"methods": {}, "conventions": {}, "queries_without_relevant": 0}
        if (self.folder / _METRICS).is_file():
            content = self._read_json(_METRICS)
        try:
            return Result(
                self.record(), content["methods"], content["conventions"], content["queries_without_relevant"]
            )
        except KeyError as error:
            raise _damaged(self.folder / _METRICS, f"it lacks {error}") from error

    def write_per_query(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        """Write expected scores of each query, ``(Q,)``, by ``method/metric``."""
        self._write_arrays(_PER_QUERY, **values)

    def per_query(self) -> Arrays:
        """Expected scores of each query, by ``method/metric``; none where nothing is measured."""
        return self._read_arrays(_PER_QUERY) if (self.folder / _PER_QUERY).is_file() else {}

    def write_curves(self, curves: Mapping[str, NDArray[Any]]) -> None:
        """Write the curves of :class:`softhash.metrics.evaluate.Evaluation`, by ``method/curve``."""
        self._write_arrays(_CURVES, **curves)

    def curves(self) -> Arrays:
        """Curves by ``method/curve``."""
        return self._read_arrays(_CURVES)

    def forget_measures(self) -> None:
        """Delete what was measured of codes that are no longer there."""
        for name in (_METRICS, _PER_QUERY, _CURVES):
            (self.folder / name).unlink(missing_ok=True)

    def write_gallery(self, name: str = "gallery", /, **arrays: NDArray[Any]) -> None:
        """Write thumbnails of queries and of what they find, for a figure of the page."""
        self._write_arrays(_gallery(name), **arrays)

    def gallery(self, name: str = "gallery") -> Arrays:
        """Thumbnails of queries and of what they find; none where there are no such pictures."""
        return self._read_arrays(_gallery(name)) if (self.folder / _gallery(name)).is_file() else {}

    def write_page(self, text: str) -> None:
        """Write the page."""
        self._write_text(_PAGE, text)

    def log(self) -> dict[str, Series]:
        """Losses and validation metrics in the CSV logs, by the name they were logged under.

        A resumed run has several logs; what it did again counts. Lines that a killed process has not finished do not.
        """
        entries: dict[str, dict[int, tuple[int, float]]] = {}
        versions = [path for path in self.folder.glob(_LOGS) if path.parent.name[8:].isdecimal()]
        for path in sorted(versions, key=lambda path: int(path.parent.name[8:])):
            for name, step, epoch, value in _entries(path):
                entries.setdefault(name, {})[step] = (epoch, value)
        return {
            name: Series(steps := sorted(by_step), [by_step[s][0] for s in steps], [by_step[s][1] for s in steps])
            for name, by_step in entries.items()
        }

    def checkpoint(self, path: Path) -> dict[str, Any]:
        """Read :attr:`best` or :attr:`last` without running code that might be in it.

        Raises:
            FileNotFoundError: The run has not reached the end of its first epoch.
            ValueError: The file is damaged; says what can be done.
        """
        if not path.is_file():
            raise self._no_checkpoint(path)
        try:
            checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (UnpicklingError, EOFError, RuntimeError, ValueError, KeyError, BadZipFile) as error:
            way_out = (
                f"Copy {self.best} over it to go on from the epoch that was best on validation, or delete it to begin"
                " again in this folder."
                if path == self.last and self.best.is_file()
                else "Train it again in a folder of its own."
            )
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            msg = f"{path} is damaged ({reason}).\n  {way_out}"
            raise ValueError(msg) from error
        return checkpoint

    def encoder(self, part: str = "encoder", *, trust: bool = False) -> nn.Module:
        """The trained :class:`softhash.hashers.encoder.Encoder`, in evaluation mode.

        It comes from ``config.yaml`` and the best checkpoint alone: no data, no loss and no download of weights.

        Args:
            part: Which encoder, of a method that has several: ``text_encoder`` takes the tags of DCMH.
            trust: Also run classes that are no part of softhash or torch, such as those of a project of your own.

        Raises:
            FileNotFoundError: The run has no configuration or no checkpoint.
            ValueError: The configuration names a class that might do anything, or does not fit the checkpoint.
        """
        config = self.config().get(part)
        if not isinstance(config, dict):
            raise _damaged(self.folder / _CONFIG, f"it has no {part}")
        weights = self.checkpoint(self.best)["state_dict"]
        prefix = f"{part}."
        encoder: nn.Module = build(_without_download(config), trust=trust)
        try:
            encoder.load_state_dict(
                {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
            )
        except RuntimeError as error:
            msg = f"{self.best} does not fit the {part} of {self.folder / _CONFIG}: {error}"
            raise ValueError(msg) from error
        return encoder.eval()

    def preprocessing(self) -> Preprocessing:
        """What the run does to a photo before its network sees it.

        Raises:
            FileNotFoundError: The folder is not that of a run.
            ValueError: The run has learnt from features and not from images, or its configuration is damaged.
        """
        config = self.config()
        if _at(config, "encoder", "backbone", "_target_") == _NO_IMAGES:
            msg = (
                f"{self.folder} was trained on features and not on images, so it cannot encode photos.\n"
                "  Run(folder).encoder() encodes features that you have computed."
            )
            raise ValueError(msg)
        size: Any = config.get("image_size")
        channels: Any = config.get("image_channels")
        resize, squash = (_at(config, "data", name) for name in ("resize", "squash"))
        try:  # data without photos have pictures of one size
            return Preprocessing(resize or size, squash is not False, size, channels)
        except ValueError as error:
            raise _damaged(self.folder / _CONFIG, error) from error

    def identity(self) -> dict[str, str]:
        """What made the codes of :meth:`encoder`: ``run``, ``method``, and ``checkpoint``, its SHA-256 in hex.

        Raises:
            FileNotFoundError: The folder is not that of a run, or has no checkpoint.
            ValueError: It was written by another version of softhash.
        """
        method = self.record().method
        if not self.best.is_file():
            raise self._no_checkpoint(self.best)
        checksum = hashlib.sha256(self.best.read_bytes()).hexdigest()
        return {"run": str(self.folder.resolve()), "method": method, "checkpoint": checksum}

    def _no_checkpoint(self, path: Path) -> FileNotFoundError:
        return FileNotFoundError(
            f"{self.folder} has no {path.name}: it has not reached the end of its first epoch;"
            f" softhash train run={self.folder} goes on"
        )

    def _existing(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            msg = (
                f"{self.folder} is not the folder of a run: it has no {name}"
                if name in {_CONFIG, _RECORD}
                else f"{self.folder} has no {name}: the run has not reached its end; softhash train run=... goes on"
            )
            raise FileNotFoundError(msg)
        return path

    def _write_text(self, name: str, text: str) -> None:
        with atomic_write(self.folder / name) as aside:
            aside.write_text(text, encoding="utf-8")

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        self._write_text(name, json.dumps(content, indent=2) + "\n")

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self._existing(name)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise _damaged(path, error) from error
        if not isinstance(content, dict):
            raise _damaged(path, "no object")
        return content

    def _write_arrays(self, name: str, **arrays: Any) -> None:
        write_arrays(self.folder / name, **arrays)

    def _read_arrays(self, name: str) -> Arrays:
        return read_arrays(self._existing(name))


def rows_with_relaxed(count: int) -> torch.Tensor:
    """Rows of a database whose relaxed codes are kept: all, or as many as will do, evenly spaced, ``(n,)`` int64.

    Example:
        >>> rows_with_relaxed(4096)[:3]
        tensor([0, 2, 4])
    """
    size = min(count, _RELAXED_ROWS)
    return torch.arange(size) * count // max(size, 1)


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write arrays as a compressed npz file, whole or not at all."""
    with atomic_write(path) as aside:
        np.savez_compressed(aside, **arrays)


def read_arrays(path: Path) -> Arrays:
    """Read what :func:`write_arrays` wrote, into memory.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for bytes that they do not expect
        raise _damaged(path, error) from error


def _entries(path: Path) -> Iterator[tuple[str, int, int, float]]:
    """Name, step, epoch and value of what a CSV log has of losses and validation metrics."""
    with path.open(newline="", encoding="utf-8", errors="replace") as lines, suppress(csv.Error):
        for line in csv.DictReader(lines):
            for name, value in line.items():
                if value and name and name.startswith(("train/", "validation/")):
                    with suppress(KeyError, TypeError, ValueError):
                        yield name, int(line["step"]), int(line["epoch"]), float(value)


def _at(config: Any, *keys: str) -> Any:
    """The value below some keys of nested mappings; None where there is none."""
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config


def _codes(method: str) -> str:
    return f"codes/{method}.npz"


def _gallery(name: str) -> str:
    return f"{name}.npz"


def _damaged(path: Path, why: object) -> ValueError:
    return ValueError(f"{path} is damaged: {why}")


def _without_download(config: dict[str, Any]) -> dict[str, Any]:
    """The config of an encoder whose backbone, and one inside it, start from random weights: the checkpoint has all."""
    backbone = config.get("backbone")
    if not isinstance(backbone, dict):
        return config
    none = {"weights": None, "checkpoint": None, "pretrained": False}
    random = backbone | {name: value for name, value in none.items() if name in backbone}
    return config | {"backbone": _without_download(random)}
