from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from softhash.data.iaprtc12 import IAPRTC12DataModule
from softhash.data.protocols import OfficialSplits

Make = Callable[..., Any]


def test_iaprtc12_has_the_words_of_each_photo(tmp_path: Path, layout: Make, arguments: Make, by_id: Make) -> None:
    labels = layout("iaprtc12").write_iaprtc12(tmp_path)
    protocol = OfficialSplits(["train"], ["test"], ["train"], "evaluate")

    data = IAPRTC12DataModule(**arguments(root=str(tmp_path), protocol=protocol, num_classes=5))
    data.setup()

    assert data.class_names == ["adult", "bike", "sky", "wall", "woman"]
    assert len(data.sets["query"]) == 12
    assert by_id(data) == {name: row.tolist() for name, row in labels.items()}


def test_vectors_of_another_dictionary_are_refused(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("iaprtc12").write_iaprtc12(tmp_path)
    (tmp_path / "iaprtc12_dictionary.txt").write_text("adult\nbike\n")

    with pytest.raises(ValueError, match=r"iaprtc12_train_annot\.hvecs should hold 40 vectors of 2 words"):
        IAPRTC12DataModule(**arguments(root=str(tmp_path), num_classes=2)).setup()
