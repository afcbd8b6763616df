"""Codes to make an index of, and the labels of their images."""

import csv
from pathlib import Path

import numpy as np

from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.search.names import Names
from softhash.text import first_few


def read_codes(path: Path) -> Collection:
    """Codes that ``softhash encode`` has written, or the database of a run with its labels.

    Raises:
        FileNotFoundError: There are none.
        ValueError: They are damaged.
    """
    run = Run(path)
    if not run.exists:
        return Collection.read(path)
    codes, relevance = run.codes(run.record().methods[0].name), run.relevance
    labels = None if relevance.labels is None else relevance.labels[1].numpy().astype(np.uint8)
    names = run.ids()[1].tolist()
    return Collection(codes.database.numpy(), names, codes.bits, run.identity(), labels, relevance.class_names)


def read_labels(path: Path) -> dict[str, list[str]]:
    """Labels by name, of a CSV file with the columns ``path`` and ``labels``, which are separated by ``;``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no such columns, is not in UTF-8, or names an image twice.
    """
    if not path.is_file():
        msg = f"labels={path} does not exist"
        raise FileNotFoundError(msg)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(line["path"], line["labels"].split(";")) for line in csv.DictReader(file)]
    except (KeyError, AttributeError, csv.Error, UnicodeDecodeError) as error:
        why = f"it has no column {error}" if isinstance(error, KeyError) else error
        msg = f"labels={path} should be a CSV file in UTF-8 with the columns path and labels: {why}"
        raise ValueError(msg) from error
    repeated = Names.of(name for name, _ in lines).twice()
    if repeated:
        msg = f"labels={path} has several lines for {first_few(repeated)}"
        raise ValueError(msg)
    return {name: [label for part in parts if (label := part.strip())] for name, parts in lines}


def labelled(collection: Collection, labels: dict[str, list[str]]) -> Collection:
    """A collection with labels by name, in alphabetical order; those of other images are left out.

    Raises:
        ValueError: An image has no line.
    """
    missing = [name for name in collection.names if name not in labels]
    if missing:
        msg = f"labels=... has no line for {len(missing)} of {len(collection)} images: {first_few(missing)}"
        raise ValueError(msg)
    names = sorted(set().union(*(labels[name] for name in collection.names)))
    column = {name: number for number, name in enumerate(names)}
    multi_hot = np.zeros((len(collection), len(names)), dtype=np.uint8)
    for row, name in enumerate(collection.names):
        multi_hot[row, [column[label] for label in labels[name]]] = 1
    return Collection(
        collection.codes, collection.names, collection.bits, collection.encoder, multi_hot if names else None, names
    )
