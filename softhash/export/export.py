"""Writes a graph, and keeps it only where it gives the codes of the encoder."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor

from softhash.encoding.shards import Encode
from softhash.export import formats
from softhash.export.graph import traced
from softhash.functional.codes import unpack
from softhash.hashers.encoder import Encoder
from softhash.storage.atomic import sync

_BATCH = 64  # images that are compared at once


@dataclass(frozen=True)
class Comparison:
    """What the check of a graph has found.

    Attributes:
        images: Number of images whose bits are all equal.
        margin: Smallest distance of a relaxed value from 0, where a bit flips; None of codes that are no signs.
        eager: Images per second of the encoder.
        graph: Images per second of the graph.
    """

    images: int
    margin: float | None
    eager: float
    graph: float


def format_named(name: str) -> Any:
    """The module of a format: ``SUFFIX``, ``write(program, about, path)`` and ``load(path)``.

    Raises:
        ValueError: There is none.
    """
    known = [module.name for module in iter_modules(formats.__path__)]
    if name not in known:
        msg = f"there is no format {name!r}; take {', '.join(known[:-1])} or {known[-1]}"
        raise ValueError(msg)
    return import_module(f"{formats.__name__}.{name}")


def export(encoder: Encoder, name: str, about: Mapping[str, str], images: Tensor, path: Path) -> Comparison:
    """Write the graph of an encoder, from uint8 images to the packed codes of a database, if all its bits are equal.

    Args:
        encoder: In evaluation mode, on the processor.
        name: Of the format.
        about: What to say of the encoder in the file.
        images: ``(B, channels, height, width)`` uint8 to compare codes on; the graph takes any number of this size.
        path: File that is not there yet; files with weights may come to lie beside it.

    Raises:
        ValueError: The encoder or the format has something that the other has not, or a bit differs; there is no file
            then.
        OSError: The disk is full or the folder not writable.
    """
    form = format_named(name)
    program = traced(encoder, images[:2].expand(2, *images.shape[1:]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
            aside = Path(folder) / path.name
            _write(form, name, program, about, aside)
            comparison = compare(encoder, form.load(aside)[0], images, name)
            for file in sorted(aside.parent.iterdir(), key=lambda file: file == aside):  # the weights first
                sync(file)
                file.replace(path.with_name(file.name))
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise OSError(msg) from error
    return comparison


def _write(form: Any, name: str, program: Any, about: Mapping[str, str], path: Path) -> None:
    try:
        form.write(program, about, path)
    except ModuleNotFoundError as error:
        raise _lacks_extra(name, error) from error
    except OSError:
        raise
    except Exception as error:  # converters raise whatever they like
        reason: BaseException = error
        while reason.__cause__ is not None:
            reason = reason.__cause__
        msg = (
            f"format={name} cannot hold this encoder: {shorten(str(reason), 600)}\n"
            "  Take another format, or encode with softhash encode runtime=torch."
        )
        raise ValueError(msg) from error


def compare(encoder: Encoder, graph: Encode, images: Tensor, name: str) -> Comparison:
    """Compare the bits of a graph with those of the encoder, and their speed in turn.

    Raises:
        ValueError: A bit differs; says how many, and how far from 0 relaxed values are there.
    """
    signs = type(encoder).items is Encoder.items
    differ, margins, seconds = [], [], []
    for part in images.split(_BATCH):
        start = time.perf_counter()
        codes = encoder(part)
        half = time.perf_counter()
        packed = graph(part)
        seconds.append((half - start, time.perf_counter() - half))
        bits = unpack(codes.database ^ packed, 8 * packed.shape[1])
        differ.append(bits)
        margins.append(codes.relaxed.abs())
    _refuse_difference(torch.cat(differ), torch.cat(margins) if signs else None, name)
    measured = seconds[1:] or seconds  # the first is slower
    counted = min(len(images), max(len(images) - _BATCH, 0) or len(images))
    eager, other = (counted / sum(parts) for parts in zip(*measured, strict=True))
    return Comparison(len(images), torch.cat(margins).min().item() if signs else None, eager, other)


def _refuse_difference(differ: Tensor, margins: Tensor | None, name: str) -> None:
    if not differ.any():
        return
    where = ""
    if margins is not None:
        farthest = margins[differ[:, : margins.shape[1]]].max().item()
        typical = margins.median().item()
        where = (
            f" Relaxed values there are at most {farthest:.1e} from 0, where a bit flips; the median is {typical:.1e}."
        )
    bits, codes = int(differ.sum()), int(differ.any(1).sum())
    msg = (
        f"format={name}: {bits} bits in {codes} of {len(differ)} codes differ from those of the run's encoder, so no"
        f" file was written.{where}\n"
        "  Take another format, or encode with softhash encode runtime=torch."
    )
    raise ValueError(msg)


def load(name: str, path: Path, checkpoint: str) -> tuple[Encode, dict[str, str]]:
    """An exported graph as a function on images, and what its file says of it.

    Args:
        name: Of the format.
        path: The file.
        checkpoint: SHA-256 of the checkpoint that it must have been made of.

    Raises:
        FileNotFoundError: There is no such file; says which command makes it.
        ValueError: It is damaged, or of another checkpoint.
    """
    if not path.is_file():
        msg = f"there is no {path}; softhash export run=... format={name} makes it"
        raise FileNotFoundError(msg)
    try:
        graph, about = format_named(name).load(path)
    except ModuleNotFoundError as error:
        raise _lacks_extra(name, error) from error
    except Exception as error:  # runtimes raise whatever they like
        msg = f"{path} cannot be read: {shorten(str(error), 300)}\n  Delete it and export the run again."
        raise ValueError(msg) from error
    if about.get("checkpoint") != checkpoint:
        msg = (
            f"{path} was made of another checkpoint ({about.get('checkpoint', 'unknown')[:12]}, not {checkpoint[:12]})."
            "\n  Delete it and export the run again."
        )
        raise ValueError(msg)
    return graph, about


def _lacks_extra(name: str, error: ModuleNotFoundError) -> ValueError:
    return ValueError(f"format={name} needs the package {error.name}: pip install 'softhash[export]'")
