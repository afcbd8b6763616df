"""Every data set is read from its official layout."""

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from softhash.data.coco import COCODataModule
from softhash.data.custom import FoldersDataModule, ListsDataModule, TableDataModule
from softhash.data.iaprtc12 import IAPRTC12DataModule
from softhash.data.nuswide import NUSWideDataModule
from softhash.data.precomputed import PrecomputedDataModule
from softhash.data.protocols import Parts, Sampled, SampledPerClass
from softhash.data.saiaprtc12 import SAIAPRTC12DataModule

Make = Callable[..., Any]


def by_id(data: Any) -> dict[str, list[int]]:
    """Labels of every image of all sets."""
    return {
        str(name): labels.tolist()
        for split in data.sets.values()
        for name, labels in zip(split.ids, split.labels, strict=True)
    }


def own_sets() -> Parts:
    return Parts(["train"], ["query"], ["database"], "evaluate")


def nuswide(arguments: Make, root: Path, **changes: Any) -> NUSWideDataModule:
    return NUSWideDataModule(
        **arguments(**({"root": str(root), "concepts": None, "num_classes": 4, "missing": "skip"} | changes))
    )


def test_nuswide_is_read_in_the_order_of_its_list(tmp_path: Path, layout: Make, arguments: Make) -> None:
    ids, labels = layout("nuswide").write_nuswide(tmp_path)

    data = nuswide(arguments, tmp_path)
    data.setup()

    assert data.class_names == ["airport", "clouds", "sky", "water"]
    expected = dict(zip(ids, labels.tolist(), strict=True))
    assert all(expected[name] == found for name, found in by_id(data).items())


def test_concepts_keep_the_order_that_is_asked_for(tmp_path: Path, layout: Make, arguments: Make) -> None:
    ids, labels = layout("nuswide").write_nuswide(tmp_path)

    data = nuswide(arguments, tmp_path, concepts=["sky", "airport"], num_classes=2)
    data.setup()

    assert data.class_names == ["sky", "airport"]
    expected = dict(zip(ids, labels[:, [2, 0]].tolist(), strict=True))
    assert all(expected[name] == found for name, found in by_id(data).items())


def test_photos_that_are_gone_are_skipped_or_refused_as_asked(tmp_path: Path, layout: Make, arguments: Make) -> None:
    ids, _ = layout("nuswide").write_nuswide(tmp_path, num_missing=4)

    data = nuswide(arguments, tmp_path)
    data.setup()

    assert data.skipped == dict.fromkeys(ids[:4], "missing")
    assert not set(ids[:4]) & set(by_id(data))
    with pytest.raises(FileNotFoundError, match=f"lacks 4 of 60 files: {ids[0]}, {ids[1]}"):
        nuswide(arguments, tmp_path, missing="refuse").setup()


def test_labels_of_another_number_of_photos_are_refused(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("nuswide").write_nuswide(tmp_path)
    with (tmp_path / "Groundtruth" / "AllLabels" / "Labels_sky.txt").open("a") as lines:
        lines.write("1\n")

    with pytest.raises(ValueError, match=r"Labels_sky\.txt has 61 lines of 0 or 1, .*Imagelist\.txt has 60 images"):
        nuswide(arguments, tmp_path).setup()


def test_a_concept_that_does_not_exist_is_named(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("nuswide").write_nuswide(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"lacks 1 of 1 files: Groundtruth/AllLabels/Labels_skyy\.txt"):
        nuswide(arguments, tmp_path, concepts=["skyy"], num_classes=1).setup()


def coco(arguments: Make, root: Path, **changes: Any) -> COCODataModule:
    own = {"root": str(root), "parts": ["train2014", "val2014"], "num_classes": 3}
    return COCODataModule(**arguments(**(own | changes)))


def test_coco_has_the_categories_of_each_photo_in_alphabetical_order(
    tmp_path: Path, layout: Make, arguments: Make
) -> None:
    present = layout("coco").write_coco(tmp_path)

    data = coco(arguments, tmp_path)
    data.setup()

    assert data.class_names == ["bicycle", "person", "stop sign"]
    for name, labels in by_id(data).items():
        assert {data.class_names[column] for column in np.flatnonzero(labels)} == present[name]


def test_an_annotation_of_a_photo_that_is_not_listed_is_refused(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("coco").write_coco(tmp_path)
    path = tmp_path / "annotations" / "instances_val2014.json"
    stored = json.loads(path.read_text())
    stored["annotations"].append({"id": 99, "image_id": 1, "category_id": 1})
    path.write_text(json.dumps(stored))

    with pytest.raises(ValueError, match=r"instances_val2014\.json is broken, or annotates an image that it does not"):
        coco(arguments, tmp_path).setup()


def test_half_an_annotation_file_is_refused(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("coco").write_coco(tmp_path)
    path = tmp_path / "annotations" / "instances_train2014.json"
    path.write_text(path.read_text()[:500])

    with pytest.raises(ValueError, match=r"instances_train2014\.json is broken"):
        coco(arguments, tmp_path).setup()


def test_iaprtc12_has_the_words_of_each_photo(tmp_path: Path, layout: Make, arguments: Make) -> None:
    labels = layout("iaprtc12").write_iaprtc12(tmp_path)
    protocol = Parts(["train"], ["test"], ["train"], "evaluate")

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


def saiaprtc12(arguments: Make, root: Path) -> SAIAPRTC12DataModule:
    protocol = Sampled(num_query=6, num_train=24, train_in_database=False, unlabelled="keep", seed=0)
    return SAIAPRTC12DataModule(**arguments(root=str(root), protocol=protocol, num_classes=4))


def test_saiaprtc12_has_the_words_of_the_segments_of_each_photo(tmp_path: Path, layout: Make, arguments: Make) -> None:
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
        ("wlist.txt", "sky\n", r"wlist\.txt should have a number, a tab and a word a line, found 'sky'"),
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


def test_voc_takes_objects_where_there_are_no_lists_of_classes(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path)
    listed = voc(tmp_path)
    listed.setup()
    for path in (tmp_path / "VOCdevkit/VOC2007/ImageSets/Main").glob("*_test.txt"):
        path.unlink()

    annotated = voc(tmp_path)
    annotated.setup()

    assert annotated.class_names == listed.class_names
    assert by_id(annotated) == by_id(listed)


def test_objects_of_no_class_of_voc_are_named(tmp_path: Path, voc: Make, write_voc: Make) -> None:
    write_voc(tmp_path)
    base = tmp_path / "VOCdevkit" / "VOC2007"
    (base / "ImageSets" / "Main" / "kat_test.txt").write_text("000001  1\n")
    with pytest.raises(ValueError, match=r"ImageSets/Main has lists of what is no class of VOC: kat$"):
        voc(tmp_path).setup()

    for path in (base / "ImageSets" / "Main").glob("*_test.txt"):
        path.unlink()
    path = base / "Annotations" / "000003.xml"
    path.write_text(path.read_text().replace("</annotation>", "<object><name>kat</name></object></annotation>"))
    with pytest.raises(ValueError, match=r"1 annotated objects are of no class of VOC: .*/000003\.xml \(kat\)"):
        voc(tmp_path).setup()


def test_broken_xml_is_named(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path)
    base = tmp_path / "VOCdevkit" / "VOC2007"
    for path in (base / "ImageSets" / "Main").glob("*_test.txt"):
        path.unlink()
    (base / "Annotations" / "000003.xml").write_text("<annotation><object>")

    with pytest.raises(ValueError, match=r"1 of 40 annotations are not XML: .*000003\.xml"):
        voc(tmp_path).setup()


def test_parts_of_voc2012_are_a_protocol(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path, year=2012, parts=("train", "val"))
    protocol = Parts(["train"], ["val"], ["train"], "evaluate")

    data = voc(tmp_path, year=2012, parts=["train", "val"], protocol=protocol)
    data.setup()

    assert [len(data.sets[name]) for name in ("train", "validation", "query", "database")] == [14, 6, 20, 20]


def test_a_tar_archive_gives_what_the_folder_gives(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path / "folder")
    with tarfile.open(tmp_path / "VOCtest.tar", "w") as archive:
        archive.add(tmp_path / "folder" / "VOCdevkit", "VOCdevkit")

    folder, archived = voc(tmp_path / "folder"), voc(tmp_path / "VOCtest.tar", num_workers=1)
    folder.setup()
    archived.prepare_data()

    assert folder.checksum() == archived.checksum()
    for first, second in zip(folder.val_dataloader(), archived.val_dataloader(), strict=True):
        torch.testing.assert_close(first.inputs, second.inputs)


def test_a_compressed_tar_archive_must_be_unpacked(tmp_path: Path, write_voc: Make, voc: Make) -> None:
    write_voc(tmp_path / "folder")
    archive = shutil.make_archive(str(tmp_path / "voc"), "gztar", tmp_path / "folder")

    with pytest.raises(ValueError, match=r"not a complete zip archive or uncompressed tar archive .* unpack it"):
        voc(archive).setup()


@pytest.mark.parametrize("one_column", [True, False])
def test_a_table_lists_photos_with_labels(one_column: bool, tmp_path: Path, layout: Make, arguments: Make) -> None:
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


def lists(arguments: Make, root: Path, **changes: Any) -> ListsDataModule:
    names = {"train": "train.txt", "query": "test.txt", "database": "database.txt"}
    own = {"root": str(root), "lists": names, "class_names": None, "protocol": own_sets(), "num_classes": 3}
    return ListsDataModule(**arguments(**(own | changes)))


def test_list_files_name_paths_with_spaces_and_labels(tmp_path: Path, layout: Make, arguments: Make) -> None:
    photos = layout("custom").write_lists(tmp_path)

    data = lists(arguments, tmp_path)
    data.setup()

    assert by_id(data) == {path: labels for path, (_, labels) in photos.items()}
    assert len(data.sets["database"]) == 36  # training images are listed there, too
    assert len(data.sets["query"]) == 6


def test_a_line_with_too_few_labels_is_shown(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("custom").write_lists(tmp_path)

    with pytest.raises(
        ValueError, match=r"train\.txt should have a path and 5 times 0 or 1 a line .* found 'my photos"
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


def test_folders_alone_are_sampled_from(tmp_path: Path, layout: Make, arguments: Make) -> None:
    layout("custom").write_folders(tmp_path, divided=False)

    data = FoldersDataModule(**arguments(root=str(tmp_path), num_classes=3))
    data.setup()

    for name, labels in by_id(data).items():
        assert data.class_names[labels.index(1)] == name.split("/")[0]
        assert sum(labels) == 1


def test_no_photos_at_all_are_refused(tmp_path: Path, arguments: Make) -> None:
    with pytest.raises(FileNotFoundError, match="has no folders with photos"):
        FoldersDataModule(**arguments(root=str(tmp_path), num_classes=3)).setup()


def precomputed(root: Path, **changes: Any) -> PrecomputedDataModule:
    protocol = Sampled(num_query=10, num_train=40, train_in_database=True, unlabelled="evaluate", seed=0)
    common = {"protocol": protocol, "num_validation": 8, "num_features": 6, "num_classes": 3}
    return PrecomputedDataModule(root=str(root), batch_size=8, num_workers=0, seed=0, **(common | changes))


def arrays(size: int = 100) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.eye(3, dtype=np.int64)[rng.integers(3, size=size)]
    return {"features": rng.normal(size=(size, 6)).astype(np.float32), "labels": labels}


@pytest.mark.parametrize("folder", [True, False])
def test_features_of_somebody_else_are_divided_and_fetched_by_batches(folder: bool, tmp_path: Path) -> None:
    stored = arrays()
    if folder:
        for name, array in stored.items():
            np.save(tmp_path / f"{name}.npy", array)
    else:
        np.savez(tmp_path / "all.npz", **stored, class_names=np.array([b"a", b"b", b"c"]))

    data = precomputed(tmp_path if folder else tmp_path / "all.npz")
    data.setup()

    assert data.class_names == (["0", "1", "2"] if folder else ["a", "b", "c"])
    batch = next(iter(data.test_dataloader()[0]))
    rows = data.sets["query"].ids[batch.rows.numpy()].astype(int)
    torch.testing.assert_close(batch.inputs, torch.from_numpy(stored["features"][rows]))
    np.testing.assert_array_equal(batch.labels, stored["labels"][rows])
    assert data.sets["query"].image(0).shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.zeros((99, 6), np.float32)}, r"features are \(99, 6\) and labels \(100, 3\)"),
        ({"features": np.zeros((100, 7), np.float32)}, "features have 7 values, data.num_features is 6"),
        ({"features": np.full((100, 6), np.nan, np.float32)}, "have features that are not finite"),
        ({"labels": np.full((100, 3), 2)}, "should be 0 or 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", **(arrays() | change))

    with pytest.raises(ValueError, match=message):
        precomputed(tmp_path / "all.npz").setup()


def similarities(size: int) -> np.ndarray:
    """Random, of images that are a bit similar to about half of the others."""
    rng = np.random.default_rng(1)
    values = (rng.random((size, size)) * 2 - 1).clip(0)
    np.fill_diagonal(values, 1)
    return values.astype(np.float32)


def assert_similarities(data: Any, matrix: np.ndarray, position: dict[str, int]) -> None:
    """Similarities of query and database images are those of the matrix."""
    query, database = data.sets["query"], data.sets["database"]
    rows = [[position[str(name)] for name in split.ids] for split in (query, database)]
    grades = data.relevance("query", "database").between(torch.arange(len(query)), torch.arange(len(database)))
    np.testing.assert_array_equal(grades, matrix[np.ix_(*rows)])


@pytest.mark.parametrize("folder", [True, False])
def test_features_may_come_with_similarities_instead_of_labels(folder: bool, tmp_path: Path) -> None:
    stored = {"features": arrays()["features"], "similarity": similarities(100)}
    for name, array in stored.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.savez(tmp_path / "all.npz", **stored)

    data = precomputed(tmp_path if folder else tmp_path / "all.npz", num_classes=0)
    data.setup()

    assert data.class_names == []
    assert_similarities(data, stored["similarity"], {str(row): row for row in range(100)})
    batch = next(iter(data.test_dataloader()[0]))
    assert batch.labels.shape == (8, 0)
    before = data.checksum()
    stored["similarity"][5, 7] = 0.123
    np.savez(tmp_path / "all.npz", **stored)
    changed = precomputed(tmp_path / "all.npz", num_classes=0)
    changed.setup()
    assert changed.checksum() != before


def test_similarities_of_other_images_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", features=arrays()["features"], similarity=similarities(99))
    np.savez(tmp_path / "both.npz", **arrays(), similarity=similarities(100))
    np.savez(tmp_path / "none.npz", features=arrays()["features"], similarity=np.eye(100))
    np.savez(tmp_path / "good.npz", features=arrays()["features"], similarity=similarities(100))

    with pytest.raises(ValueError, match=r"features are \(100, 6\) and labels \(99, 0\)"):
        precomputed(tmp_path / "few.npz", num_classes=0).setup()
    with pytest.raises(ValueError, match="has both labels and similarity; leave one out"):
        precomputed(tmp_path / "both.npz").setup()
    with pytest.raises(ValueError, match="none of the 10 queries is similar to any of the 90 database images"):
        precomputed(tmp_path / "none.npz", num_classes=0).setup()
    with pytest.raises(ValueError, match=r"has 0 classes and 0 class names, data\.num_classes is 3"):
        precomputed(tmp_path / "good.npz").setup()
    per_class = SampledPerClass(1, 2, train_in_database=True, unlabelled="keep", seed=0)
    with pytest.raises(ValueError, match="divides images by their classes, and this data set has similarities"):
        precomputed(tmp_path / "good.npz", num_classes=0, protocol=per_class).setup()


def test_a_table_may_have_similarities_instead_of_labels(tmp_path: Path, layout: Make, arguments: Make) -> None:
    photos = layout("custom").write_table(tmp_path, one_column=True)
    matrix = similarities(len(photos))
    np.save(tmp_path / "similar.npy", matrix)

    def table(file: str) -> TableDataModule:
        own = {"root": str(tmp_path), "table": "photos.csv", "similarity": str(tmp_path / file), "num_classes": 0}
        return TableDataModule(**arguments(**own, protocol=own_sets()))

    data = table("similar.npy")
    data.setup()

    assert_similarities(data, matrix, {name: row for row, name in enumerate(photos)})
    np.save(tmp_path / "few.npy", matrix[:-1, :-1])
    with pytest.raises(ValueError, match=r"few\.npy' is of 41 images, photos\.csv lists 42"):
        table("few.npy").setup()
    with pytest.raises(FileNotFoundError, match=r"data\.similarity=.*absent\.npy' does not exist"):
        table("absent.npy").setup()


def test_queries_that_find_nothing_are_refused(tmp_path: Path) -> None:
    stored = arrays()
    stored["labels"] = np.eye(3, dtype=np.int64)[[0] * 50 + [1] * 40 + [2] * 10]
    stored["parts"] = np.array(["train"] * 50 + ["database"] * 40 + ["query"] * 10)
    np.savez(tmp_path / "all.npz", **stored)

    with pytest.raises(ValueError, match="none of the 10 queries shares a label with any of the 40 database images"):
        precomputed(tmp_path / "all.npz", protocol=own_sets()).setup()


def test_a_folder_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no arrays features and labels"):
        precomputed(tmp_path).setup()


def test_cifar10_is_read_from_its_batches(tmp_path: Path, layout: Make, cifar10: Make) -> None:
    pictures, targets = layout("cifar10").write_cifar10(tmp_path)

    data = cifar10(tmp_path)
    data.setup()

    for split in data.sets.values():
        for row, name in enumerate(split.ids.tolist()):
            part, number = name.split("-")
            expected = pictures[part][int(number)]
            np.testing.assert_array_equal(split.image(row), expected)
            assert split.labels[row].argmax() == targets[part][int(number)]


def test_cifar10_that_is_not_there_is_explained(tmp_path: Path, cifar10: Make) -> None:
    with pytest.raises(FileNotFoundError, match=r"no complete cifar-10-batches-py\.\n  Unpack cifar-10-python"):
        cifar10(tmp_path).setup()
