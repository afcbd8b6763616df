from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from softhash.data.custom import FoldersDataModule, ListsDataModule, TableDataModule
from softhash.data.protocols import OfficialSplits

Make = Callable[..., Any]


def own_sets() -> OfficialSplits:
    return OfficialSplits(["train"], ["query"], ["database"], "evaluate")


@pytest.mark.parametrize("one_column", [True, False])
def test_a_table_lists_photos_with_labels(
    one_column: bool, tmp_path: Path, layout: Make, arguments: Make, by_id: Make
) -> None:
    photos = layout("custom").write_table(tmp_path, one_column)

    data = TableDataModule(**arguments(root=str(tmp_path), table="photos.csv", protocol=own_sets(), num_classes=3))
    data.prepare_data()

    assert data.class_names == ["bird", "cat", "dög"]
    assert by_id(data) == {path: labels for path, (_, labels) in photos.items()}
    assert {photos[name][0] for name in data.sets["query"].ids.tolist()} == {"query"}


def test_a_table_without_paths_is_refused(tmp_path: Path, arguments: Make) -> None:
    (tmp_path / "photos.csv").write_text("file,label\na.jpg,cat\n")

    with pytest.raises(ValueError, match=r"photos\.csv needs a header with a column path, found file, label"):
        TableDataModule(**arguments(root=str(tmp_path), table="photos.csv", num_classes=1)).setup()


def test_a_label_other_than_0_and_1_is_refused(tmp_path: Path, arguments: Make) -> None:
    (tmp_path / "photos.csv").write_text("path,cat\na.jpg,1\nb.jpg,yes\n")

    with pytest.raises(ValueError, match=r"0 or 1 in the columns of classes; it has not for b\.jpg"):
        TableDataModule(**arguments(root=str(tmp_path), table="photos.csv", num_classes=1)).setup()


def test_a_path_that_leads_out_of_the_root_is_refused(tmp_path: Path, arguments: Make) -> None:
    (tmp_path / "root").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.jpg")
    (tmp_path / "root" / "photos.csv").write_text("path,split,labels\n../secret.jpg,train,cat\n")

    with pytest.raises(FileNotFoundError, match=r"lacks 1 of 1 files: \.\./secret\.jpg"):
        TableDataModule(**arguments(root=str(tmp_path / "root"), table="photos.csv", num_classes=1)).setup()


def test_a_photo_that_is_listed_twice_is_refused(tmp_path: Path, arguments: Make) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.jpg")
    (tmp_path / "photos.csv").write_text("path,split,labels\na.jpg,train,cat\na.jpg,query,dog\n")

    with pytest.raises(ValueError, match=r"1 photos are listed more than once: a\.jpg"):
        TableDataModule(**arguments(root=str(tmp_path), table="photos.csv", num_classes=2)).setup()


def test_a_table_may_have_similarities_instead_of_labels(tmp_path: Path, layout: Make, arguments: Make) -> None:
    photos = layout("custom").write_table(tmp_path, one_column=True)
    matrix = np.random.default_rng(1).random((len(photos), len(photos))).astype(np.float32)
    np.save(tmp_path / "similar.npy", matrix)

    def table(file: str) -> TableDataModule:
        own = {"root": str(tmp_path), "table": "photos.csv", "similarity": str(tmp_path / file), "num_classes": 0}
        return TableDataModule(**arguments(**own, protocol=own_sets()))

    data = table("similar.npy")
    data.setup()

    listed = {name: place for place, name in enumerate(photos)}
    query, database = ([listed[str(name)] for name in data.sets[split].ids] for split in ("query", "database"))
    grades = data.relevance("query", "database").between(torch.arange(len(query)), torch.arange(len(database)))
    np.testing.assert_array_equal(grades, matrix[np.ix_(query, database)])
    np.save(tmp_path / "few.npy", matrix[:-1, :-1])
    with pytest.raises(ValueError, match=r"few\.npy' is of 41 images, photos\.csv lists 42"):
        table("few.npy").setup()
    with pytest.raises(FileNotFoundError, match=r"data\.similarity=.*absent\.npy' does not exist"):
        table("absent.npy").setup()


def lists(arguments: Make, root: Path, **changes: Any) -> ListsDataModule:
    names = {"train": "train.txt", "query": "test.txt", "database": "database.txt"}
    own = {"root": str(root), "lists": names, "class_names": None, "protocol": own_sets(), "num_classes": 3}
    return ListsDataModule(**arguments(**(own | changes)))


def test_list_files_name_paths_with_spaces_and_labels(
    tmp_path: Path, layout: Make, arguments: Make, by_id: Make
) -> None:
    photos = layout("custom").write_lists(tmp_path)

    data = lists(arguments, tmp_path)
    data.setup()

    assert by_id(data) == {path: labels for path, (_, labels) in photos.items()}
    assert len(data.sets["database"]) == 36  # training images are listed there, too
    assert len(data.sets["query"]) == 6


def test_a_line_with_too_few_labels_is_shown(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("custom").write_lists(tmp_path)

    with pytest.raises(
        ValueError, match=r"train\.txt should have a path and 5 times 0 or 1 in each line .* found 'my photos"
    ):
        lists(arguments, tmp_path, num_classes=5).setup()


def test_a_photo_with_other_labels_in_another_list_is_named(tmp_path: Path, arguments: Make) -> None:
    (tmp_path / "train.txt").write_text("a.jpg 0 1 0\n")
    (tmp_path / "test.txt").write_text("b.jpg 0 1 0\n")
    (tmp_path / "database.txt").write_text("a.jpg 1 1 0\n")

    with pytest.raises(ValueError, match=r"a\.jpg has other labels in database\.txt than in a list before it"):
        lists(arguments, tmp_path).setup()


def test_folders_below_train_query_and_database_are_the_sets(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("custom").write_folders(tmp_path, divided=True)

    data = FoldersDataModule(**arguments(root=str(tmp_path), protocol=own_sets(), num_classes=3))
    data.setup()

    assert data.class_names == ["bird", "cat", "dög"]
    assert [len(data.sets[name]) for name in ("train", "validation", "query", "database")] == [18, 6, 9, 9]
    assert all(name.startswith("query/") for name in data.sets["query"].ids.tolist())


def test_folders_alone_are_sampled_from(tmp_path: Path, layout: Make, arguments: Make, by_id: Make) -> None:
    layout("custom").write_folders(tmp_path, divided=False)

    data = FoldersDataModule(**arguments(root=str(tmp_path), num_classes=3))
    data.setup()

    for name, labels in by_id(data).items():
        assert data.class_names[labels.index(1)] == name.split("/")[0]
        assert sum(labels) == 1


def test_no_photos_at_all_are_refused(tmp_path: Path, arguments: Make) -> None:
    with pytest.raises(FileNotFoundError, match="has no folders with photos"):
        FoldersDataModule(**arguments(root=str(tmp_path), num_classes=3)).setup()


def table(arguments: Make, root: Path, text: str | bytes, **changes: Any) -> TableDataModule:
    (root / "photos.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return TableDataModule(**arguments(**({"root": str(root), "table": "photos.csv", "num_classes": 2} | changes)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,split,labels\na.jpg,train,cat\nb.jpg,train,cat,dog\n", "should have 3 values in each line.* line 3;"),
        ("path,split,labels\na.jpg,train\n", "should have 3 values in each line.* line 2;"),
        ("path,split,labels\na.jpg,train,cat\n ,train,dog\n", "has no path in line 3"),
        ("path,split,labels\nGröße.jpg,train,cat\n".encode("latin-1"), "is not text in UTF-8"),
        ("path,split,labels\na.jpg,train,cat\n".encode("utf-16"), "is not text in UTF-8"),
        ("path,split,labels\na.jpg,train," + "c" * 200_000 + "\n", "is not a table of comma-separated values: field"),
    ],
)
def test_a_table_that_would_lose_data_is_refused(
    text: str | bytes, message: str, tmp_path: Path, arguments: Make
) -> None:
    with pytest.raises(ValueError, match=rf"photos\.csv.* {message}"):
        table(arguments, tmp_path, text).setup()


def test_photos_of_a_misspelt_split_are_warned_of(tmp_path: Path, layout: Make, arguments: Make, by_id: Make) -> None:
    layout("custom").write_table(tmp_path, one_column=True)
    text = (tmp_path / "photos.csv").read_text(encoding="utf-8-sig")
    text = text.replace(",train,", ",tarin,", 3).replace(",train,", ",Train,", 2)

    data = table(arguments, tmp_path, text, protocol=own_sets(), num_classes=3)
    with pytest.warns(UserWarning, match="5 images are in no split of data.protocol, as the data set has them in"):
        data.setup()

    assert len(by_id(data)) == 42 - 5
