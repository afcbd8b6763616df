"""Numbers that others have published, to stand beside ours: never in one table with them, as protocols differ."""

import csv
from collections.abc import Sequence
from importlib.resources import files
from statistics import mean
from typing import NamedTuple

from softhash.study.collect import Cell, Study


class Published(NamedTuple):
    """A number that somebody has published.

    Attributes:
        method: Name of our config, or the published one in lower case where we have none.
        data: Name of our config.
        bits: Code length.
        metric: Name of the metric as ours is called.
        value: In [0, 1].
        protocol: What is known of it: splits, backbone, how the epoch was chosen.
        source: Where it stands.
    """

    method: str
    data: str
    bits: int
    metric: str
    value: float
    protocol: str
    source: str


class Beside(NamedTuple):
    """Published numbers of a method of a study, and ours of the same metric.

    Attributes:
        data: Our display name.
        method: Our display name.
        metric: Name of the metric.
        protocol: Of the published numbers.
        source: Of the published numbers.
        published: By code length.
        ours: Means over seeds by code length, where we have measured them.
    """

    data: str
    method: str
    metric: str
    protocol: str
    source: str
    published: dict[int, float]
    ours: dict[int, float]


def all_published() -> list[Published]:
    """What ``published.csv`` holds."""
    text = files("softhash.study").joinpath("published.csv").read_text(encoding="utf-8")
    return [
        Published(
            line["method"],
            line["data"],
            int(line["bits"]),
            line["metric"],
            float(line["value"]),
            line["protocol"],
            line["source"],
        )
        for line in csv.DictReader(text.splitlines())
    ]


def beside(study: Study, numbers: Sequence[Published]) -> list[Beside]:
    """Published numbers of the methods and data sets of a study, for the code lengths that it has."""
    lines: dict[tuple[str, str, str, str, str], Beside] = {}
    for shown, data in study.data.items():
        for method in study.on(shown):
            for number in numbers:
                same = (number.method, number.data) == (study.titles[method], data)
                if same and number.bits in study.bits(shown):
                    key = (shown, method, number.metric, number.protocol, number.source)
                    line = lines.setdefault(key, Beside(*key, {}, {}))
                    line.published[number.bits] = number.value
                    values = study.values(Cell(shown, method, number.bits), number.metric).values()
                    if values:
                        line.ours[number.bits] = mean(values)
    return list(lines.values())
