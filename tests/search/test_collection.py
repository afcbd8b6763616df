import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from softhash.search.collection import Collection
from softhash.search.names import Names

ENCODER = {"run": "runs/a", "method": "idhn", "checkpoint": "ab" * 32}


def collection(**changes: object) -> Collection:
    parts: dict[str, object] = {
        "codes": np.array([[9, 1], [255, 0], [0, 3]], dtype=np.uint8),
        "names": ["a.jpg", "dogs/é.jpg", "b\udcff.jpg"],
        "bits": 12,
        "encoder": ENCODER,
        "labels": np.array([[1, 0], [0, 0], [1, 1]], dtype=np.uint8),
        "label_names": ["cat", "dog"],
    }
    return Collection(**(parts | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["codes.npz", "codes"])
@pytest.mark.parametrize("labelled", [True, False])
def test_what_is_read_is_what_was_written(tmp_path: Path, name: str, labelled: bool) -> None:
    written = collection() if labelled else collection(labels=None, label_names=())

    written.write(tmp_path / name)
    read = Collection.read(tmp_path / name)

    assert [path.name for path in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(read.codes, [[9, 1], [255, 0], [0, 3]])
    assert list(read.names) == ["a.jpg", "dogs/é.jpg", "b\udcff.jpg"]
    assert (read.bits, read.encoder) == (12, ENCODER)
    assert read.label_names == (("cat", "dog") if labelled else ())
    if labelled:
        np.testing.assert_array_equal(read.labels, [[1, 0], [0, 0], [1, 1]])
    else:
        assert read.labels is None


def test_codes_of_a_folder_are_mapped_from_their_file(tmp_path: Path) -> None:
    collection().write(tmp_path / "codes")

    assert isinstance(Collection.read(tmp_path / "codes").codes, np.memmap)


def test_a_folder_of_codes_is_replaced_as_a_whole(tmp_path: Path) -> None:
    collection().write(tmp_path / "codes")
    Collection(np.array([[1]], dtype=np.uint8), ["z"], 8, {}).write(tmp_path / "codes")

    assert [path.name for path in tmp_path.iterdir()] == ["codes"]
    assert sorted(path.name for path in (tmp_path / "codes").iterdir()) == ["about.json", "codes.npy", "names.npy"]
    assert list(Collection.read(tmp_path / "codes").names) == ["z"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()

    with pytest.raises(ValueError, match="photos is there already and holds no codes"):
        collection().write(tmp_path / "photos")

    assert (tmp_path / "photos" / "a.jpg").exists()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"bits": 0}, "bits must be a whole number of at least 1, got 0"),
        ({"bits": 17}, "codes have 2 bytes each, but 17 bits take 3"),
        ({"bits": 9}, "bits set beyond the first 9"),
        ({"codes": np.zeros((3, 2))}, r"codes must be \(N, W\) uint8, got shape \(3, 2\) of float64"),
        ({"codes": np.zeros((0, 2), dtype=np.uint8), "names": []}, "there are no codes"),
        ({"names": ["a", "b"]}, "there are 3 codes but 2 names"),
        ({"names": ["a", "b", ""]}, "a name is empty, that of item 2"),
        ({"names": ["a", "b\0c", "d"]}, "zero bytes: 'b"),
        ({"encoder": {"seed": 1}}, "encoder must map texts to texts"),
        ({"labels": None}, "names of labels need labels"),
        ({"label_names": ["cat"]}, r"labels must be \(3, 1\) uint8"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        collection(**changes)


def test_names_that_are_not_unique_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1 names are not unique: b$"):
        collection(names=["b", "a", "b"]).write(tmp_path / "codes")

    assert list(tmp_path.iterdir()) == []


def test_names_with_equal_hashes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softhash.search.names._hashes", lambda _, count: np.zeros(count, dtype=np.uint64))

    assert Names.of(["c", "a", "b", "a", "c", "c"]).twice() == ["a", "c"]


def test_no_byte_can_be_cut_off_an_npz_file(tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"
    collection().write(path)
    whole = path.read_bytes()

    for length in range(0, len(whole), 13):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"codes\.npz"):
            Collection.read(path)


@pytest.mark.parametrize("name", ["codes.npy", "names.npy", "labels.npy", "about.json"])
def test_no_file_of_a_folder_can_be_cut_short_or_missing(tmp_path: Path, name: str) -> None:
    collection().write(tmp_path / "codes")
    file = tmp_path / "codes" / name
    whole = file.read_bytes()

    for content in (whole[:-3], whole[: len(whole) // 2], b""):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="codes"):
            Collection.read(tmp_path / "codes")
    file.unlink()
    with pytest.raises(ValueError, match="codes"):
        Collection.read(tmp_path / "codes")


def test_files_of_two_collections_do_not_make_one(tmp_path: Path) -> None:
    collection().write(tmp_path / "codes")
    np.save(tmp_path / "codes" / "codes.npy", np.zeros((2, 2), dtype=np.uint8))

    with pytest.raises(ValueError, match="damaged, or no codes: there are 2 codes but 3 names"):
        Collection.read(tmp_path / "codes")


@pytest.mark.parametrize(
    "about",
    [
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": 2}',
        '{"format": 1, "count": 3, "bits": 12, "encoder": [], "label_names": []}',
    ],
)
def test_what_a_file_says_of_itself_is_checked(tmp_path: Path, about: str) -> None:
    collection().write(tmp_path / "codes")
    (tmp_path / "codes" / "about.json").write_text(about)

    with pytest.raises(ValueError, match="is damaged, or no codes"):
        Collection.read(tmp_path / "codes")


def test_pickles_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "codes.npz", codes=np.array([{}], dtype=object))

    with pytest.raises(ValueError, match="allow_pickle=False"):
        Collection.read(tmp_path / "codes.npz")


def test_a_missing_file_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="softhash encode"):
        Collection.read(tmp_path / "codes.npz")


def test_files_hold_names_as_text_and_no_more_than_the_codes_beside_them(tmp_path: Path) -> None:
    collection(labels=None, label_names=()).write(tmp_path / "codes.npz")

    with zipfile.ZipFile(tmp_path / "codes.npz") as archive:
        assert "dogs/é.jpg".encode() in archive.read("names.npy")
        assert archive.namelist() == ["about.npy", "codes.npy", "names.npy"]


def test_a_full_disk_leaves_the_old_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection().write(tmp_path / "codes")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(
        OSError, match=r"cannot write .*codes: No space left on device\. What was there before is untouched"
    ):
        collection(names=["x", "y", "z"]).write(tmp_path / "codes")

    assert [path.name for path in tmp_path.iterdir()] == ["codes"]
    assert Collection.read(tmp_path / "codes").names[0] == "a.jpg"


def test_images_are_taken_by_position() -> None:
    taken = collection().take(np.array([2, 0]))

    assert list(taken.names) == ["b\udcff.jpg", "a.jpg"]
    np.testing.assert_array_equal(taken.codes, [[0, 3], [9, 1]])
    np.testing.assert_array_equal(taken.labels, [[1, 1], [1, 0]])


def test_what_a_folder_says_of_itself_is_readable_json(tmp_path: Path) -> None:
    collection().write(tmp_path / "codes")

    assert json.loads((tmp_path / "codes" / "about.json").read_text())["encoder"] == ENCODER
