from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from softhash.data.precomputed import PrecomputedDataModule
from softhash.data.protocols import OfficialSplits, Sampled, SampledPerClass

Make = Callable[..., Any]


def own_sets() -> OfficialSplits:
    return OfficialSplits(["train"], ["query"], ["database"], "evaluate")


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
        (
            {"features": np.zeros((99, 6), np.float32)},
            r"features of .* are \(99, 6\) and should be \(N, D\); there are 100 images",
        ),
        ({"features": np.zeros((100, 7), np.float32)}, "features have 7 values, data.num_features is 6"),
        ({"features": np.full((100, 6), np.nan, np.float32)}, "have features that are not finite"),
        ({"labels": np.full((100, 3), 2)}, "should be 0 or 1"),
        ({"tags": np.zeros((99, 4))}, "tags of .* is of 99 images, the data set has 100"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", **(arrays() | change))

    with pytest.raises(ValueError, match=message):
        precomputed(tmp_path / "all.npz").setup()


def test_tags_beside_features_are_in_its_batches(tmp_path: Path) -> None:
    tags = np.random.default_rng(1).integers(2, size=(100, 4), dtype=np.uint8)
    np.savez(tmp_path / "all.npz", **arrays(), tags=tags)

    data = precomputed(tmp_path / "all.npz")
    data.setup()

    batch = next(iter(data.train_dataloader()))
    rows = data.sets["train"].ids[batch.rows.numpy()].astype(int)
    np.testing.assert_array_equal(batch.tags, tags[rows])


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

    with pytest.raises(ValueError, match=r"features of .* are \(100, 6\) and should be \(N, D\); there are 99 images"):
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


def test_a_folder_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no arrays features and labels"):
        precomputed(tmp_path).setup()


def test_queries_that_find_nothing_are_refused(tmp_path: Path) -> None:
    stored = arrays()
    stored["labels"] = np.eye(3, dtype=np.int64)[[0] * 50 + [1] * 40 + [2] * 10]
    stored["parts"] = np.array(["train"] * 50 + ["database"] * 40 + ["query"] * 10)
    np.savez(tmp_path / "all.npz", **stored)

    with pytest.raises(ValueError, match="none of the 10 queries shares a label with any of the 40 database images"):
        precomputed(tmp_path / "all.npz", protocol=own_sets()).setup()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.arange(80)}, r"ids of data\.root=.* has shape \(80,\); it should be \(100,\)"),
        ({"ids": np.arange(120)}, r"ids of data\.root=.* has shape \(120,\); it should be \(100,\)"),
        ({"ids": np.arange(100) // 2}, r"ids of data\.root=.* has 50 names more than once: 0, 1, 10, "),
        ({"ids": np.array([b"\xff"] * 100)}, r"ids of data\.root=.* is not text in UTF-8"),
        ({"parts": np.array(["train"] * 99)}, r"parts of data\.root=.* has shape \(99,\)"),
        ({"class_names": np.array(["a", "b"])}, r"class_names of data\.root=.* has shape \(2,\); it should be \(3,\)"),
        ({"features": np.zeros((100, 6), complex)}, "features of .* are complex128; they should be real numbers"),
        ({"features": np.full((100, 6), "a")}, "features of .* are <U1; they should be real numbers"),
        ({"features": np.full((100, 6), 1e300)}, "have features that are not finite"),
        ({"labels": np.zeros(100)}, r"labels of .* are \(100,\) and should be multi-hot"),
        ({"labels": np.full((100, 3), "1")}, "labels of .* should be 0 or 1"),
    ],
)
def test_arrays_that_would_lose_data_are_refused(change: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", **(arrays() | change))

    with pytest.raises(ValueError, match=message):
        precomputed(tmp_path / "all.npz").setup()


def test_a_file_that_is_no_npz_file_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", **arrays())
    (tmp_path / "cut.npz").write_bytes((tmp_path / "all.npz").read_bytes()[:3000])
    np.save(tmp_path / "features.npy", arrays()["features"])

    with pytest.raises(ValueError, match=r"data\.root='.*cut\.npz' cannot be read"):
        precomputed(tmp_path / "cut.npz").setup()
    with pytest.raises(ValueError, match=r"data\.root='.*features\.npy' is an npy file, and should be an npz file"):
        precomputed(tmp_path / "features.npy").setup()


def test_features_of_a_folder_stay_mapped_and_are_seen_as_they_lie(tmp_path: Path) -> None:
    stored = arrays()
    np.save(tmp_path / "features.npy", stored["features"].astype(">f8"))
    np.save(tmp_path / "labels.npy", stored["labels"])
    doubled = precomputed(tmp_path)
    doubled.setup()
    np.save(tmp_path / "features.npy", stored["features"])

    mapped = precomputed(tmp_path)
    mapped.setup()

    np.load(tmp_path / "features.npy", mmap_mode="r+")[:] *= 2
    rows = mapped.sets["train"].places
    torch.testing.assert_close(
        mapped.sets["train"].__getitems__(range(len(rows))).inputs, torch.from_numpy(2 * stored["features"][rows])
    )
    torch.testing.assert_close(
        doubled.sets["train"].__getitems__(range(len(rows))).inputs, torch.from_numpy(stored["features"][rows])
    )
