import hashlib
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from softhash.data.base import Draw, EpochSampler, RetrievalDataModule, Split, TensorSplit, collate
from softhash.data.protocols import SPLITS
from softhash.types import Batch

SIZES = {"train": 4, "validation": 3, "query": 2, "database": 5}


class Numbered(RetrievalDataModule):
    """Fourteen images of one pixel, whose value is their place; labels as they are given."""

    def __init__(self, labels: Tensor, matrix: np.ndarray | None = None) -> None:
        super().__init__(num_classes=labels.shape[1], batch_size=2, num_workers=0, seed=0)
        self.labels, self.given = labels, matrix

    def load(self) -> dict[str, Split]:
        self.class_names, self.matrix = [f"c{column}" for column in range(self.labels.shape[1])], self.given
        images = torch.arange(14, dtype=torch.uint8).reshape(14, 1, 1, 1)
        places = np.split(np.arange(14), np.cumsum(list(SIZES.values()))[:-1])
        return {
            name: TensorSplit(
                np.array([f"{row:02d}.jpg" for row in rows]), self.labels[rows], rows, images, nn.Identity()
            )
            for name, rows in zip(SIZES, places, strict=True)
        }


def labels() -> Tensor:
    return torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8).repeat(7, 1)


def test_a_batch_has_the_images_at_the_places_of_its_rows() -> None:
    split = Split(
        np.array(["a", "b", "c"]),
        torch.eye(3, dtype=torch.uint8),
        np.array([7, 2, 5]),
        lambda place: torch.full((3, 2, 2), place, dtype=torch.uint8),
        lambda image: image + 1,
    )

    batch = split.__getitems__([2, 0])

    assert batch.inputs.shape == (2, 3, 2, 2)
    assert batch.inputs[:, 0, 0, 0].tolist() == [6, 8]
    assert batch.labels.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert batch.rows.tolist() == [2, 0]
    assert all(torch.equal(one, many[0]) for one, many in zip(split[2], batch, strict=True))
    assert split.image(1).tolist() == torch.full((3, 2, 2), 2).tolist()


def test_images_in_memory_are_taken_by_their_places() -> None:
    data = Numbered(labels())
    data.setup()

    (query, database) = data.test_dataloader()

    assert torch.cat([batch.inputs.flatten() for batch in query]).tolist() == [7, 8]
    assert torch.cat([batch.inputs.flatten() for batch in database]).tolist() == [9, 10, 11, 12, 13]


def test_the_checksum_is_that_of_names_and_labels_by_split() -> None:
    data = Numbered(labels())
    data.setup()

    text = b"c0\nc1"
    for name, rows in zip(SPLITS, ((0, 1, 2, 3), (4, 5, 6), (7, 8), (9, 10, 11, 12, 13)), strict=True):
        text += f"\n{name}\n".encode() + "\n".join(f"{row:02d}.jpg" for row in rows).encode()
        text += b"".join(b"\x00\x01" if row % 2 else b"\x01\x00" for row in rows)
    assert data.checksum() == hashlib.sha256(text).hexdigest()


def test_the_whole_has_each_image_once_by_name() -> None:
    data = Numbered(labels())
    data.setup()
    searched, train = data.sets["database"], data.sets["train"]
    ids, places = np.concatenate([searched.ids, train.ids]), np.concatenate([searched.places, train.places])
    data.sets["database"] = searched.with_images(ids, torch.cat([searched.labels, train.labels]), places)

    whole = data.whole()

    assert whole.ids.tolist() == [f"{row:02d}.jpg" for row in range(14)]
    assert whole.__getitems__(range(14)).inputs.flatten().tolist() == list(range(14))
    assert torch.equal(whole.labels, labels())


def test_another_image_has_another_fingerprint() -> None:
    one, other = Numbered(labels()), Numbered(labels())
    one.setup()
    other.setup()
    before = other.fingerprint()
    other.sets["database"].images[9] = 200

    assert one.fingerprint() == before
    assert one.fingerprint() != other.fingerprint()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([7, 8], "none of the 2 queries shares a label with any of the 5 database images"),
        ([4, 5, 6], "no two of the 3 validation images share a label, .* set data.num_validation to more"),
    ],
)
def test_images_that_nothing_is_like_are_refused(rows: list[int], message: str) -> None:
    few = labels()
    few[rows] = 0

    with pytest.raises(ValueError, match=message):
        Numbered(few).setup()


def test_an_image_is_not_like_another_by_being_like_itself() -> None:
    matrix = np.ones((14, 14), dtype=np.float32)
    matrix[4:7, 4:7] = np.eye(3)

    with pytest.raises(ValueError, match="no two of the 3 validation images are similar"):
        Numbered(torch.zeros(14, 0, dtype=torch.uint8), matrix).setup()
    matrix[4, 6] = 0.5
    Numbered(torch.zeros(14, 0, dtype=torch.uint8), matrix).setup()


def test_data_that_were_refused_are_refused_again() -> None:
    few = labels()
    few[[7, 8]] = 0
    data = Numbered(few)

    for _ in range(2):
        with pytest.raises(ValueError, match="none of the 2 queries"):
            data.setup()


def test_relevance_is_that_of_labels_or_of_the_matrix_at_the_places() -> None:
    matrix = np.random.default_rng(0).random((14, 14)).astype(np.float32)
    by_label, by_matrix = Numbered(labels()), Numbered(torch.zeros(14, 0, dtype=torch.uint8), matrix)
    by_label.setup()
    by_matrix.setup()
    queries, items = torch.arange(2), torch.arange(5)

    same = by_label.relevance("query", "database").between(queries, items)
    given = by_matrix.relevance("query", "database").between(queries, items)

    assert same.tolist() == [[float((7 + query) % 2 == (9 + item) % 2) for item in range(5)] for query in range(2)]
    np.testing.assert_array_equal(given, matrix[7:9, 9:14])


def test_views_of_an_image_come_one_after_the_other() -> None:
    data = Numbered(labels())
    data.setup()

    draws = list(EpochSampler(data.sets["train"], 1, 0, seed=0, views=3))
    rows = [draw.row for draw in draws]

    assert rows[::3] == rows[1::3] == rows[2::3]
    assert sorted(rows[::3]) == [0, 1, 2, 3]
    assert len({draw.seed for draw in draws}) == 12  # each view is augmented by itself


def test_the_rows_of_an_epoch_are_those_that_it_asks_for() -> None:
    data = Numbered(labels())
    data.setup()
    sampler = EpochSampler(data.sets["train"], 1, 0, seed=0, sample=lambda epoch: torch.tensor([epoch, 3]))
    drawn: list[Any] = []

    for epoch in range(3):
        sampler.set_epoch(epoch)
        drawn.append(sorted(draw.row for draw in sampler))

    assert len(sampler) == 2
    assert drawn == [[0, 3], [1, 3], [2, 3]]


def test_the_seeds_of_augmentation_are_those_of_epoch_and_row_however_many_processes_there_are() -> None:
    data = Numbered(labels())
    data.setup()

    def draws(world: int, epoch: int) -> dict[int, int]:
        samplers = [EpochSampler(data.sets["train"], world, rank, seed=5) for rank in range(world)]
        for sampler in samplers:
            sampler.set_epoch(epoch)
        return {draw.row: draw.seed for sampler in samplers for draw in sampler}

    assert draws(1, epoch=0) == draws(2, epoch=0)
    assert draws(1, epoch=0).keys() == draws(1, epoch=1).keys() == set(range(4))
    assert not set(draws(1, epoch=0).values()) & set(draws(1, epoch=1).values())


def test_a_sampler_goes_on_within_its_epoch_and_the_next_one_is_whole() -> None:
    data = Numbered(labels())
    data.setup()
    whole, resumed = (EpochSampler(data.sets["train"], 1, 0, seed=0) for _ in range(2))
    whole.set_epoch(2)
    resumed.go_on(epoch=2, done=3)

    assert list(resumed) == list(whole)[3:]
    assert len(resumed) == 4
    resumed.set_epoch(3)
    assert len(list(resumed)) == 4


def test_an_augmentation_of_any_generator_draws_by_its_seed_and_disturbs_nobody() -> None:
    def noisy(image: Tensor) -> Tensor:
        return torch.stack([image[0] + random.random() + np.random.rand() + torch.rand(())])  # noqa: NPY002, S311

    split = Split(np.array(["a", "b"]), torch.eye(2), np.arange(2), lambda _: torch.zeros(1, 1, 1), noisy)
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)

    together = split.__getitems__([Draw(0, 7), Draw(1, 8)]).inputs
    apart = [split.__getitems__([draw]).inputs for draw in (Draw(1, 8), Draw(0, 7))]

    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(together, torch.cat(apart[::-1]))
    assert together[0] != together[1]


def test_single_rows_are_stacked() -> None:
    data = Numbered(labels())
    data.setup()
    query = data.sets["query"]

    stacked, whole = collate([query[1], query[0]]), query.__getitems__([1, 0])

    assert collate(whole) is whole
    assert isinstance(stacked, Batch)
    assert all(torch.equal(one, other) for one, other in zip(stacked, whole, strict=True))
