from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from softhash.data.protocols import Sampled
from softhash.data.saiaprtc12 import SAIAPRTC12DataModule

Make = Callable[..., Any]


def saiaprtc12(arguments: Make, root: Path) -> SAIAPRTC12DataModule:
    protocol = Sampled(num_query=6, num_train=24, train_in_database=False, unlabelled="keep", seed=0)
    return SAIAPRTC12DataModule(**arguments(root=str(root), protocol=protocol, num_classes=4))


def test_saiaprtc12_has_the_words_of_the_segments_of_each_photo(
    tmp_path: Path, layout: Make, arguments: Make, by_id: Make
) -> None:
    words = layout("saiaprtc12").write_saiaprtc12(tmp_path)

    data = saiaprtc12(arguments, tmp_path)
    data.setup()

    assert data.class_names == ["air-vehicles", "airplane", "sky-blue", "child boy"]
    found = by_id(data)
    assert found.keys() == words.keys()
    for name, labels in found.items():
        assert {word for word, label in zip(data.class_names, labels, strict=True) if label} == words[name]


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        (
            "saiapr_tc-12/01/labels.txt",
            "1 1 8\n",
            r"01/labels\.txt gives photo 1 the word 8, which .*wlist\.txt does not",
        ),
        ("saiapr_tc-12/01/labels.txt", "1 sky\n", r"01/labels\.txt should have the numbers .*, found 1 sky"),
        ("saiapr_tc-12/01/labels.txt", "777 1 1\n", r"lacks 1 of 53 files: .*01/images/777\.jpg"),
        ("wlist.txt", "sky\n", r"wlist\.txt should have a number, a tab and a word per line, found 'sky'"),
    ],
)
def test_segments_that_do_not_fit_are_named(
    tmp_path: Path, layout: Make, arguments: Make, file: str, line: str, message: str
) -> None:
    layout("saiaprtc12").write_saiaprtc12(tmp_path)
    with (tmp_path / "benchmark" / file).open("a") as lines:
        lines.write(line)

    with pytest.raises((ValueError, FileNotFoundError), match=message):
        saiaprtc12(arguments, tmp_path).setup()
