from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hydra.utils import instantiate

from softhash.data.protocols import (
    Catalogue,
    OfficialSplits,
    Partition,
    RetrievalProtocol,
    Sampled,
    SampledPerClass,
    SplitFile,
    UnseenClasses,
    divide,
)
from softhash.data.voc import CLASSES as VOC_CLASSES

CONF = Path(__file__).parents[2] / "conf" / "data"
LABELS = Path(__file__).parents[3] / "shared" / "data" / "labels"


def catalogue(size: int = 300, classes: int = 4, seed: int = 0) -> Catalogue:
    """Random labels; the first five rows have none, the last third is the part ``test``."""
    labels = (np.random.default_rng(seed).random((size, classes)) < 0.4).astype(np.uint8)
    labels[labels.sum(1) == 0, 0] = 1
    labels[:5] = 0
    parts = np.where(np.arange(size) < 2 * size // 3, "train trainval", "test")
    return Catalogue(np.array([f"{i:04d}.jpg" for i in range(size)]), labels, [f"c{i}" for i in range(classes)], parts)


def sampled(**changes: object) -> Sampled:
    arguments = {
        "num_query": 20,
        "num_train": 100,
        "train_in_database": False,
        "unlabelled": "keep",
        "seed": 0,
    }
    return Sampled(**(arguments | changes))


def per_class(**changes: object) -> SampledPerClass:
    arguments = {
        "query_per_class": 5,
        "train_per_class": 20,
        "train_in_database": True,
        "unlabelled": "remove",
        "seed": 0,
    }
    return SampledPerClass(**(arguments | changes))


PROTOCOLS: list[Callable[[], RetrievalProtocol]] = [
    sampled,
    per_class,
    lambda: UnseenClasses(share=0.25, num_query=20, num_train=None, seed=0),
    lambda: OfficialSplits(["train"], ["test"], ["trainval"], "remove"),
]


@pytest.mark.parametrize("make", PROTOCOLS)
def test_queries_are_never_trained_on_nor_searched(make: Callable[[], RetrievalProtocol]) -> None:
    partition = make()(catalogue())

    for rows in partition[:3]:
        assert (np.diff(rows) > 0).all()  # sorted, each once
    assert not np.intersect1d(partition.query, partition.train).size
    assert not np.intersect1d(partition.query, partition.database).size


@pytest.mark.parametrize("make", PROTOCOLS)
def test_a_protocol_gives_the_same_partition_each_time(make: Callable[[], RetrievalProtocol]) -> None:
    for first, second in zip(make()(catalogue()), make()(catalogue()), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("make", [sampled, per_class])
def test_another_seed_gives_another_partition(make: Callable[..., RetrievalProtocol]) -> None:
    assert not np.array_equal(make(seed=1)(catalogue()).query, make(seed=2)(catalogue()).query)


def test_disjoint_sets_hold_all_images_once() -> None:
    partition = sampled()(catalogue())

    assert [len(rows) for rows in partition[:3]] == [100, 20, 180]
    assert len(np.unique(np.concatenate(partition[:3]))) == 300


def test_training_images_can_be_searched_as_well() -> None:
    partition = sampled(train_in_database=True)(catalogue())

    assert len(partition.database) == 280
    assert np.isin(partition.train, partition.database).all()


def test_all_images_but_the_queries_can_be_trained_on_and_searched() -> None:
    partition = sampled(num_train=280, train_in_database=True)(catalogue())

    np.testing.assert_array_equal(partition.train, partition.database)


@pytest.mark.parametrize(
    ("unlabelled", "trained_on", "evaluated"),
    [("remove", False, False), ("evaluate", False, True), ("keep", True, True)],
)
def test_the_policy_decides_where_images_without_labels_are(unlabelled: str, trained_on: bool, evaluated: bool) -> None:
    labels = catalogue().labels
    partitions = [sampled(num_query=100, seed=seed, unlabelled=unlabelled)(catalogue()) for seed in range(5)]

    assert any((labels[partition.train].sum(1) == 0).any() for partition in partitions) is trained_on
    assert any((labels[partition.query].sum(1) == 0).any() for partition in partitions) is evaluated
    assert any((labels[partition.database].sum(1) == 0).any() for partition in partitions) is evaluated


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="unlabelled must be remove, evaluate or keep, got 'drop'"):
        sampled(unlabelled="drop")(catalogue())


@pytest.mark.parametrize("num_train", [280, 281])
def test_a_sample_that_leaves_no_database_is_refused(num_train: int) -> None:
    with pytest.raises(
        ValueError, match=f"{num_train} training images and 20 queries leave no database: there are 300"
    ):
        sampled(num_train=num_train)(catalogue())


def test_each_class_gives_as_many_queries_and_training_images() -> None:
    partition = per_class()(catalogue())
    labels = catalogue().labels

    assert len(partition.query) == 4 * 5
    assert len(partition.train) == 4 * 20
    assert (labels[partition.query].sum(0) >= 5).all()
    assert (labels[partition.train].sum(0) >= 20).all()


def test_a_class_with_too_few_images_is_named() -> None:
    rare = catalogue()
    rare.labels[:, 2] = 0
    rare.labels[10:14, 2] = 1

    with pytest.raises(ValueError, match="class 'c2' has 4 images left to choose 5 from"):
        per_class()(rare)


def test_parts_are_taken_whole() -> None:
    partition = OfficialSplits(["train"], ["test"], ["trainval"], "keep")(catalogue())

    np.testing.assert_array_equal(partition.train, np.arange(200))
    np.testing.assert_array_equal(partition.query, np.arange(200, 300))
    np.testing.assert_array_equal(partition.database, np.arange(200))


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no split 'val'; it has test, train, trainval"):
        OfficialSplits(["train"], ["val"], ["train"], "keep")(catalogue())


def test_a_stored_split_decides(tmp_path: Path) -> None:
    np.savez(tmp_path / "split.npz", split=np.arange(300) % 3)

    partition = SplitFile(str(tmp_path / "split.npz"), train_in_database=True, unlabelled="keep")(catalogue())

    np.testing.assert_array_equal(partition.train, np.arange(1, 300, 3))
    np.testing.assert_array_equal(partition.query, np.arange(2, 300, 3))
    np.testing.assert_array_equal(partition.database, np.setdiff1d(np.arange(300), partition.query))


def test_a_split_of_other_images_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "split.npz", split=np.zeros(25000))
    protocol = SplitFile(str(tmp_path / "split.npz"), train_in_database=False, unlabelled="keep")

    with pytest.raises(ValueError, match=r"split\.npz' splits 25000 images, data\.root has 300"):
        protocol(catalogue())


def test_a_split_file_that_is_missing_is_named(tmp_path: Path) -> None:
    protocol = SplitFile(str(tmp_path / "none.npz"), train_in_database=False, unlabelled="keep")

    with pytest.raises(FileNotFoundError, match=r"data\.protocol\.path='.*none\.npz' does not exist"):
        protocol(catalogue())


def test_held_out_classes_are_retrieved_and_never_trained_on() -> None:
    labels = catalogue().labels

    partition = UnseenClasses(share=0.5, num_query=20, num_train=None, seed=0)(catalogue())

    trained = labels[partition.train].any(0)
    assert trained.sum() == 2  # of four classes
    assert labels[partition.query][:, ~trained].any(1).all()
    assert labels[partition.database][:, ~trained].any(1).all()
    np.testing.assert_array_equal(partition.classes_that_count, ~trained)


def test_images_are_relevant_to_each_other_by_held_out_classes_alone() -> None:
    images = catalogue()
    protocol = UnseenClasses(share=0.5, num_query=20, num_train=None, seed=0)
    held_out = protocol(images).classes_that_count

    sets = divide(images, protocol, num_validation=5, seed=0)

    for name, (rows, labels) in sets.items():
        counts = held_out if name in {"query", "database"} else ~held_out
        assert labels[:, torch.from_numpy(counts)].any(1).all()
        assert not labels[:, torch.from_numpy(~counts)].any()
        np.testing.assert_array_equal(labels[:, torch.from_numpy(counts)], images.labels[rows][:, counts])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_some_but_not_all_classes_are_held_out(share: float) -> None:
    with pytest.raises(ValueError, match="share must be above 0 and below 1"):
        UnseenClasses(share=share, num_query=20, num_train=None, seed=0)


def real(name: str) -> dict[str, np.ndarray]:
    path = LABELS / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"needs the labels of {name}")
    with np.load(path) as stored:
        return dict(stored)


def disjoint(partition: Partition) -> bool:
    return not (
        np.intersect1d(partition.query, partition.train).size
        or np.intersect1d(partition.query, partition.database).size
    )


def text(names: np.ndarray) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


@pytest.mark.parametrize(
    ("file", "protocol", "sizes"),
    [
        ("voc2012_trainval", "voc2012_dhp", (4000, 1000, 6540)),
        ("nuswide21_partial", "nuswide21_csq", (10500, 2100, None)),
        ("nuswide81_partial", "nuswide81_hashnet", (10000, 5000, None)),
        ("coco2014_partial", "coco_hashnet", (10000, 5000, None)),
    ],
)
def test_a_protocol_divides_real_labels_as_published_and_always_alike(
    file: str, protocol: str, sizes: tuple[int, int, int | None]
) -> None:
    stored, config = real(file), yaml.safe_load((CONF / "protocol" / f"{protocol}.yaml").read_text())
    labels = stored["labels"] if "labels" in stored else np.concatenate([stored["query"], stored["database"]])
    ids = np.array([f"{row:06d}" for row in range(len(labels))])
    data = Catalogue(ids, labels, text(stored["class_names"]), np.full(len(labels), ""))

    partition, again = instantiate(config)(data), instantiate(config)(data)

    assert (len(partition.train), len(partition.query)) == sizes[:2]
    kept = labels.any(1) if config["unlabelled"] == "remove" else np.ones(len(labels), dtype=bool)
    rest = kept.sum() - len(partition.query) - (0 if config["train_in_database"] else len(partition.train))
    assert len(partition.database) == rest
    assert sizes[2] in {None, len(partition.database)}
    assert disjoint(partition)
    assert np.isin(partition.train, partition.database).all() == config["train_in_database"]
    for rows, same in zip(partition[:3], again[:3], strict=True):
        np.testing.assert_array_equal(rows, same)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("voc2012_trainval", lambda: list(VOC_CLASSES)),
        ("voc2007_test", lambda: list(VOC_CLASSES)),
        ("nuswide21_partial", lambda: yaml.safe_load((CONF / "nuswide21.yaml").read_text())["data"]["concepts"]),
        ("nuswide81_partial", None),
        ("coco2014_partial", None),
        ("mirflickr25k", None),
    ],
)
def test_classes_are_in_the_order_of_the_published_labels(file: str, expected: Callable[[], list[str]] | None) -> None:
    names = text(real(file)["class_names"])

    assert names == (expected() if expected else sorted(names))  # alphabetical, as these modules have them


def test_a_hundred_queries_and_five_hundred_training_photos_a_class_of_nuswide_21() -> None:
    stored = real("nuswide21_partial")
    labels = np.concatenate([stored[name] for name in ("query", "train", "database")])
    ids = np.array([f"{row:06d}" for row in range(len(labels))])
    nuswide = Catalogue(ids, labels, stored["class_names"].tolist(), np.full(len(labels), ""))

    partition = per_class(query_per_class=100, train_per_class=500)(nuswide)

    assert [len(rows) for rows in partition[:2]] == [10500, 2100]
    assert (labels[partition.query].sum(0) >= 100).all()
    assert (labels[partition.train].sum(0) >= 500).all()


def test_images_that_no_official_split_takes_are_warned_of() -> None:
    protocol = OfficialSplits(["train"], ["test"], ["train"], "keep")
    images = catalogue()
    images.parts[:7], images.parts[7:9] = "tarin", ""

    with pytest.warns(
        UserWarning, match="9 images are in no split of data.protocol, as the data set has them in '', 'tarin'"
    ):
        partition = protocol(images)

    np.testing.assert_array_equal(partition.train, np.arange(9, 200))


def test_validation_is_cut_from_the_training_images() -> None:
    divided = divide(catalogue(), sampled(), num_validation=30, seed=3)

    assert {name: len(places) for name, (places, _) in divided.items()} == {
        "train": 70,
        "validation": 30,
        "query": 20,
        "database": 180,
    }
    both = np.concatenate([divided["train"][0], divided["validation"][0]])
    np.testing.assert_array_equal(np.sort(both), sampled()(catalogue()).train)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"parts": np.zeros(300)}, "has no array split; it has parts"),
        (None, "cannot be read"),
        ({"split": np.zeros(())}, "splits 0 images"),
    ],
)
def test_a_split_file_that_is_none_is_named(
    content: dict[str, np.ndarray] | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "split.npz"
    path.write_bytes(b"PK cut")
    if content:
        np.savez(path, **content)

    with pytest.raises(ValueError, match=rf"data\.protocol\.path='.*split\.npz' {message}"):
        SplitFile(str(path), train_in_database=False, unlabelled="keep")(catalogue())
