import json
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from softhash.search.collection import Collection
from softhash.search.engine import Engine
from softhash.search.exact import Exact
from softhash.search.faiss import Faiss
from softhash.search.index import Index, add_to_index, delete_from_index, write_index

ENCODER = {"run": "runs/a", "method": "dpsh", "checkpoint": "a" * 64}
ENGINES = [Exact(), Faiss(), Faiss(kind="ivf", num_lists=4, num_probes=4), Faiss(kind="hnsw")]


def collection(count: int = 40, first: int = 0, **changes: object) -> Collection:
    """Code i has i as its first byte, and an odd name is in a folder of its own."""
    numbers = np.arange(first, first + count, dtype=np.uint8)
    parts: dict[str, object] = {
        "codes": np.stack([numbers, np.zeros_like(numbers)], axis=1),
        "names": [f"{'odd' if i % 2 else 'even'}/{i}.jpg" for i in numbers],
        "bits": 16,
        "encoder": ENCODER,
        "labels": np.stack([numbers % 3 == 0, numbers % 3 > 0], axis=1).astype(np.uint8),
        "label_names": ["cat", "dog"],
    }
    return Collection(**(parts | changes))  # type: ignore[arg-type]


def query(*numbers: int) -> torch.Tensor:
    return torch.tensor([[number, 0] for number in numbers], dtype=torch.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_index(collection(), Exact(), tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_every_engine_finds_the_same_distances_and_names(tmp_path: Path, engine: Engine) -> None:
    write_index(collection(), engine, tmp_path / "index")

    index = Index.open(tmp_path / "index")
    three, seven = index.search(query(3, 7), top_k=3)

    assert index.engine == engine
    assert len(index) == 40
    assert three.names[0] == "odd/3.jpg"
    assert set(three.names[1:]) <= {"even/2.jpg", "odd/1.jpg", "odd/7.jpg", "odd/11.jpg", "odd/19.jpg", "odd/35.jpg"}
    assert three.distances.tolist() == seven.distances.tolist() == [0, 1, 1]
    assert three.labels[0] == ["cat"]
    assert seven.labels[0] == ["dog"]


@pytest.mark.parametrize("engine", [Exact(), Faiss(), Faiss(kind="hnsw")], ids=str)
def test_filters_search_among_some(tmp_path: Path, engine: Engine) -> None:
    write_index(collection(), engine, tmp_path / "index")
    index = Index.open(tmp_path / "index")

    (cats,) = index.search(query(1), top_k=5, label="cat")
    (even,) = index.search(query(1), top_k=1, name="even/*")

    assert {label for labels in cats.labels for label in labels} == {"cat"}
    assert sorted(cats.rows[:4].tolist()) == [0, 3, 9, 33]  # the multiples of 3 that differ from 1 in one bit
    assert cats.distances.tolist() == [1, 1, 1, 1, 2]
    assert (even.names, even.distances.tolist()) == (["even/0.jpg"], [1])


@pytest.mark.parametrize("engine", [Exact(), Faiss(), ENGINES[2]], ids=str)
def test_a_radius_finds_all_that_are_near(tmp_path: Path, engine: Engine) -> None:
    write_index(collection(), engine, tmp_path / "index")

    (none, some) = Index.open(tmp_path / "index").within(torch.tensor([[0, 255], [0, 0]], dtype=torch.uint8), radius=1)

    assert none.names == []
    assert some.rows.tolist() == [0, 1, 2, 4, 8, 16, 32]
    assert some.distances.tolist() == [0, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_images_are_added_and_deleted(tmp_path: Path, engine: Engine) -> None:
    write_index(collection(), engine, tmp_path / "index")

    add_to_index(tmp_path / "index", collection(5, first=60))
    delete_from_index(tmp_path / "index", ["odd/3*", "even/0.jpg"])

    index = Index.open(tmp_path / "index")
    assert len(index) == 40 + 5 - 7  # 3, 31, 33, 35, 37, 39 and 0
    (found,) = index.search(query(62), top_k=1)
    assert (found.names, found.distances.tolist(), found.labels) == (["even/62.jpg"], [0], [["dog"]])
    (found,) = index.search(query(3), top_k=1)
    assert (found.distances.tolist(), found.names[0].startswith("odd/3")) == ([1], False)


def test_an_index_in_use_keeps_what_it_has_opened(folder: Path) -> None:
    index = Index.open(folder)
    delete_from_index(folder, ["odd/3.jpg"])

    assert index.search(query(3), top_k=1)[0].names == ["odd/3.jpg"]


def test_what_is_added_must_compare_and_have_new_names(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"1 names are not unique: odd/39\.jpg"):
        add_to_index(folder, collection(2, first=39))
    with pytest.raises(ValueError, match=r"come from runs/a \(dpsh, checkpoint aaaaaaaaaaaa\), and not from runs/b"):
        add_to_index(folder, collection(2, first=60, encoder=ENCODER | {"run": "runs/b", "checkpoint": "b" * 64}))
    with pytest.raises(ValueError, match=r"codes of 16 bits, and runs/a .* gives 12"):
        add_to_index(folder, collection(2, first=60, bits=12))
    with pytest.raises(ValueError, match="labels differ: cat, dog here, none in what is to be added"):
        add_to_index(folder, collection(2, first=60, labels=None, label_names=()))

    assert len(Index.open(folder)) == 40


def test_names_that_are_not_there_delete_nothing(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"the index has no a\.jpg, b/\*; nothing was deleted"):
        delete_from_index(folder, ["odd/1.jpg", "a.jpg", "b/*"])

    assert len(Index.open(folder)) == 40


def test_an_image_named_like_a_pattern_is_deleted_alone(tmp_path: Path) -> None:
    codes = np.zeros((3, 1), dtype=np.uint8)
    write_index(Collection(codes, ["a[1]", "a1", "b"], 8, {}), Exact(), tmp_path / "index")

    assert list(delete_from_index(tmp_path / "index", ["a[1]"]).names) == ["a1", "b"]


def test_the_last_images_are_not_deleted(folder: Path) -> None:
    with pytest.raises(ValueError, match="would leave nothing of the 40 images"):
        delete_from_index(folder, ["*"])


def test_an_index_is_not_written_over(folder: Path) -> None:
    with pytest.raises(ValueError, match="is there already"):
        write_index(collection(1), Exact(), folder)

    assert len(Index.open(folder)) == 40


def test_one_process_changes_an_index(folder: Path) -> None:
    with FileLock(folder.with_name(".index.lock")), pytest.raises(OSError, match="another process changes"):
        add_to_index(folder, collection(1, first=60))


@pytest.mark.parametrize(
    ("queries", "problem"),
    [
        (np.zeros((1, 3), dtype=np.uint8), "queries has 3 bytes per code, but 16 bits take 2"),
        (np.zeros((1, 2)), "queries must be packed codes"),
        (np.zeros((0, 2), dtype=np.uint8), "queries is empty"),
        (np.zeros((1, 3, 256)), r"tables must be \(Q, 2, 256\)"),
        (np.full((1, 2, 256), np.nan), "NaN"),
    ],
)
def test_queries_that_do_not_fit_are_refused(folder: Path, queries: np.ndarray, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Index.open(folder).search(queries, top_k=1)


@pytest.mark.parametrize("top_k", [0, 41, 2.5])
def test_a_number_of_results_that_cannot_be_is_refused(folder: Path, top_k: int) -> None:
    with pytest.raises(ValueError, match=r"top_k must be (at least 1 and at most 40|a whole number)"):
        Index.open(folder).search(query(1), top_k=top_k)


@pytest.mark.parametrize("engine", ENGINES[1:], ids=str)
def test_what_an_engine_cannot_do_is_refused_by_name(tmp_path: Path, engine: Faiss) -> None:
    write_index(collection(), engine, tmp_path / "index")
    index = Index.open(tmp_path / "index")

    with pytest.raises(ValueError, match="engine=faiss has Hamming distance alone"):
        index.search(np.zeros((1, 2, 256)), top_k=1)
    if engine.kind == "hnsw":
        with pytest.raises(ValueError, match=r"engine=faiss has no radius=... with kind=hnsw; engine=exact has"):
            index.within(query(1), radius=1)
    else:
        with pytest.raises(ValueError, match=r"engine=faiss has no filters together with radius"):
            index.within(query(1), radius=1, label="cat")
    if engine.kind == "ivf":
        with pytest.raises(ValueError, match="engine=faiss has no filters with kind=ivf"):
            index.search(query(1), top_k=1, label="cat")


def test_more_lists_than_images_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"engine\.num_lists=1024 needs as many images, and there are 40"):
        write_index(collection(), Faiss(kind="ivf"), tmp_path / "index")

    assert [path.name for path in tmp_path.iterdir()] == [".index.lock"]


@pytest.mark.parametrize("engine", [Exact(), Faiss()], ids=str)
def test_no_file_of_an_index_can_be_cut_short(tmp_path: Path, engine: Engine) -> None:
    folder = tmp_path / "index"
    write_index(collection(), engine, folder)

    files = sorted(folder.iterdir())
    assert len(files) == 6
    for file in files:
        whole = file.read_bytes()
        for content in (whole[: len(whole) // 2], b""):
            file.write_bytes(content)
            with pytest.raises(ValueError, match=r"index.* (damaged|cut)"):
                Index.open(folder)
        file.write_bytes(whole)
    assert len(Index.open(folder)) == 40


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_no_file_of_an_index_holds_a_pickle(tmp_path: Path, engine: Engine) -> None:
    write_index(collection(), engine, tmp_path / "index")

    for file in (tmp_path / "index").iterdir():
        if file.suffix == ".json":
            json.loads(file.read_text())
        elif file.suffix == ".npy":
            np.load(file, allow_pickle=False)
        else:
            assert file.read_bytes()[:2] == b"IB", file  # a binary index of faiss


@pytest.mark.parametrize("target", ["os.system", "softhash.hashers.encoder.Encoder", "softhash.search.exact.Missing"])
def test_an_index_names_nothing_but_an_engine(folder: Path, target: str) -> None:
    (folder / "index.json").write_text(json.dumps({"_target_": target}))

    with pytest.raises(ValueError, match=r"index\.json is damaged, or names an engine that is not there"):
        Index.open(folder)


def test_something_else_is_not_an_index(tmp_path: Path) -> None:
    collection().write(tmp_path / "codes")

    with pytest.raises(FileNotFoundError, match=r"is not the folder of an index: it has no index\.json"):
        Index.open(tmp_path / "codes")


def test_files_of_faiss_that_are_of_other_codes_are_refused(tmp_path: Path) -> None:
    for name, count in (("a", 40), ("b", 30)):
        write_index(collection(count), Faiss(), tmp_path / name)
    (tmp_path / "b" / "faiss.index").replace(tmp_path / "a" / "faiss.index")

    with pytest.raises(ValueError, match="of other codes: it has 30 of 16 bits"):
        Index.open(tmp_path / "a")


def test_a_kind_that_faiss_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match=r"engine\.kind must be one of flat, ivf, hnsw, got 'multihash'"):
        Faiss(kind="multihash")
