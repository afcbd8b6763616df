"""What every data set is: four sets of images with labels, and the loaders over them."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from softhash.data.protocols import Catalogue, RetrievalProtocol, Rows
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance, Relevance
from softhash.types import Batch

SETS = ("train", "validation", "query", "database")
DISJOINT = (("query", "train"), ("query", "validation"), ("query", "database"), ("train", "validation"))
Transform = Callable[[Tensor], Tensor]


class RetrievalSet(Dataset[Batch]):
    """Some images of a data set.

    Args:
        ids: ``(N,)`` names, each of one image.
        labels: ``(N, C)`` uint8 multi-hot; C is 0 where a matrix gives similarities.
        places: ``(N,)`` int64 positions among all images of the data set.
        read: Gives the image at a place, ``(channels, height, width)`` uint8.
        transform: From that image to what the network sees, also uint8.
    """

    def __init__(
        self,
        ids: NDArray[np.str_],
        labels: Tensor,
        places: NDArray[np.int64],
        read: Callable[[int], Tensor],
        transform: Transform,
    ) -> None:
        self.ids, self.labels, self.places, self.read, self.transform = ids, labels, places, read, transform

    def __len__(self) -> int:
        """N."""
        return len(self.ids)

    def __getitem__(self, row: int) -> Batch:
        """One row, without the dimension of the batch."""
        image = self.transform(self.read(int(self.places[row])))
        return Batch(image, self.labels[row], torch.tensor(row))

    def __getitems__(self, rows: Sequence[int]) -> Batch:
        """A whole batch, channels last; each image is transformed by itself."""
        images = [self.transform(self.read(int(self.places[row]))) for row in rows]
        # Decoders and caches give channels last too, so this copies whole lines.
        inputs = torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)
        taken = torch.as_tensor(rows)
        return Batch(inputs, self.labels[taken], taken)

    def image(self, row: int) -> Tensor:
        """``(3, height, width)`` uint8 picture of a row, for people."""
        picture = self.read(int(self.places[row]))
        return picture.expand(3, *picture.shape[1:])

    def with_transform(self, transform: Transform) -> "RetrievalSet":
        """A copy with another transform."""
        return RetrievalSet(self.ids, self.labels, self.places, self.read, transform)


class TensorSet(RetrievalSet):
    """Images that are in memory already, fetched by whole batches.

    Args:
        ids: ``(N,)`` names, each of one image.
        labels: ``(N, C)`` uint8 multi-hot; C is 0 where a matrix gives similarities.
        places: ``(N,)`` int64 positions among all images of the data set.
        images: ``(N, channels, height, width)`` uint8.
        transform: Of a batch of images.
    """

    def __init__(
        self, ids: NDArray[np.str_], labels: Tensor, places: NDArray[np.int64], images: Tensor, transform: Transform
    ) -> None:
        super().__init__(ids, labels, places, self._read, transform)
        self.images = images
        self._row = {int(place): row for row, place in enumerate(places)}

    def _read(self, place: int) -> Tensor:
        return self.images[self._row[place]]

    def __getitems__(self, rows: Sequence[int]) -> Batch:
        """A whole batch."""
        taken = torch.as_tensor(rows)
        return Batch(self.transform(self.images[taken]), self.labels[taken], taken)

    def fingerprint(self) -> str:
        """SHA-256 of the images and their names."""
        names = "\n".join(self.ids.tolist()).encode()
        return hashlib.sha256(names + self.images.contiguous().numpy().tobytes()).hexdigest()

    def with_transform(self, transform: Transform) -> "TensorSet":
        """A copy with another transform."""
        return TensorSet(self.ids, self.labels, self.places, self.images, transform)


class RetrievalDataModule(pl.LightningDataModule, ABC):
    """Train, validation, query and database sets.

    A subclass says in :meth:`load` what they hold. Validation is cut from train: models are selected on it,
    never on queries. Whether the database holds the training images is up to the protocol.

    Args:
        num_classes: C, which the labels found must have; 0 where a matrix gives similarities.
        batch_size: Images a step and process.
        num_workers: Loading processes.
        seed: Of the order of training images, and of what the subclass samples.

    Attributes:
        sets: The four sets by name, once :meth:`setup` has run.
        matrix: ``(M, M)`` similarities in [0, 1] of all images of the data set, set by :meth:`load` where they are
            given in place of labels; else None.

    Raises:
        ValueError: ``batch_size`` is below 2.
    """

    class_names: list[str]
    matrix: NDArray[np.generic] | None = None

    def __init__(self, num_classes: int, batch_size: int, num_workers: int, seed: int) -> None:
        super().__init__()
        if batch_size < 2:
            msg = f"batch_size must be at least 2, as losses compare images of a batch, got {batch_size}"
            raise ValueError(msg)
        self.num_classes, self.batch_size, self.num_workers, self.seed = (
            num_classes,
            batch_size,
            num_workers,
            seed,
        )
        self.sets: dict[str, RetrievalSet] = {}
        self._checked, self._epoch = False, 0

    @abstractmethod
    def load(self) -> dict[str, RetrievalSet]:
        """The four sets."""

    def check(self) -> None:
        """Look at every image before time is spent on training; nothing to do where they are in memory."""

    def fingerprint(self) -> str:
        """Hash that changes when an image of the sets does; for images that are in memory."""
        return "".join(split.fingerprint() for split in self.sets.values() if isinstance(split, TensorSet))

    def prepare_data(self) -> None:
        """Refuse bad data; in one process, while the others wait."""
        self.setup()
        if not self._checked:
            self.check()
            self._checked = True

    def setup(self, stage: str | None = None) -> None:
        """Load the sets, and refuse what would make a result worthless.

        Raises:
            ValueError: A set is empty, an image is in two sets or has no place among the classes, or no query has
                anything to find.
        """
        del stage
        if self.sets:
            return
        sets = self.load()
        for name in SETS:
            if not len(sets[name]):
                msg = f"the {name} set of data={type(self).__name__} is empty"
                raise ValueError(msg)
            columns = sets[name].labels.shape[1]
            if columns != self.num_classes or columns != len(self.class_names):
                msg = (
                    f"the {name} set has {columns} classes and {len(self.class_names)} class names,"
                    f" data.num_classes is {self.num_classes}"
                )
                raise ValueError(msg)
        for name, other in DISJOINT:
            shared = np.intersect1d(sets[name].ids, sets[other].ids)
            if len(shared):
                msg = f"{len(shared)} images are in {name} and in {other}, the first is {shared[0]}"
                raise ValueError(msg)
        self.sets = sets
        relevance = self.relevance("query", "database")
        if not relevance.any():
            self.sets = {}
            num_query, num_database = relevance.shape
            what = "is similar to" if self.matrix is not None else "shares a label with"
            msg = f"none of the {num_query} queries {what} any of the {num_database} database images"
            raise ValueError(msg)

    def relevance(self, queries: str, items: str) -> Relevance:
        """How relevant the images of one set are to those of another, such as ``database`` to ``query``."""
        asked, searched = self.sets[queries], self.sets[items]
        if self.matrix is not None:
            return MatrixRelevance(self.matrix, asked.places, searched.places)
        return LabelRelevance(asked.labels, searched.labels, self.class_names)

    def images(self) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
        """Sorted names of all images, and the first place of each in the four sets one after the other."""
        return np.unique(np.concatenate([self.sets[name].ids for name in SETS]), return_index=True)

    def checksum(self) -> str:
        """SHA-256 of the sorted names of each set, with their labels: the same for equal protocols."""
        digest = hashlib.sha256("\n".join(self.class_names).encode())
        if self.matrix is not None:
            digest.update(MatrixRelevance(self.matrix).digest().encode())
        for name in SETS:
            split = self.sets[name]
            order = np.argsort(split.ids)
            digest.update(f"\n{name}\n".encode())
            digest.update("\n".join(split.ids[order].tolist()).encode())
            described = split.labels[torch.from_numpy(order)].numpy() if self.matrix is None else split.places[order]
            digest.update(described.tobytes())
        return digest.hexdigest()

    def state_dict(self) -> dict[str, int]:
        """The number of whole epochs, for the checkpoint."""
        progress = self.trainer.fit_loop.epoch_progress.current if self.trainer else None
        return {"epoch": int(getattr(progress, "processed", 0))}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on with an epoch: loading processes fetch batches before Lightning tells the sampler where it is."""
        self._epoch = state_dict["epoch"]

    def train_dataloader(self) -> DataLoader[Batch]:
        """Training images, in an order that depends on the seed and the epoch alone.

        The last batch may be small, unless it were a single image: that is left out.
        """
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        hasher = self.trainer.lightning_module if self.trainer else None
        views, sample = getattr(hasher, "views", 1), getattr(hasher, "sample", None)
        sampler = EpochSampler(self.sets["train"], world, rank, self.seed, views, sample)
        sampler.set_epoch(self._epoch)
        size = self.batch_size * views
        return self._loader(
            self.sets["train"], batch_size=size, sampler=sampler, drop_last=len(sampler) % size == views
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation images, each a query against the others."""
        return self._loader(self.sets["validation"])

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """Queries and database."""
        return [self._loader(self.sets["query"]), self._loader(self.sets["database"])]

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Training images as they are evaluated, in row order."""
        return self._loader(self.plain_train())

    def plain_train(self) -> RetrievalSet:
        """The training set without augmentation."""
        return self.sets["train"].with_transform(self.sets["database"].transform)

    def _loader(self, dataset: RetrievalSet, **options: object) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            **{"batch_size": self.batch_size, **options},  # type: ignore[arg-type]
        )


class EpochSampler(DistributedSampler[Batch]):
    """Shuffles by seed and epoch, and reseeds all generators when an epoch starts, as Lightning does not store them.

    A resumed run therefore draws the same numbers, except for augmentation in loading processes, which have
    generators of their own.

    Args:
        dataset: The training set.
        world: Number of processes.
        rank: Of this process.
        seed: Of the run.
        views: How often each row comes, one after the other.
        sample: Rows of an epoch, always as many, or None for all.
    """

    def __init__(
        self,
        dataset: RetrievalSet,
        world: int,
        rank: int,
        seed: int,
        views: int = 1,
        sample: Callable[[int], Tensor | None] | None = None,
    ) -> None:
        self.views, self.sample = views, sample
        first = sample(0) if sample else None
        super().__init__(dataset if first is None else first, world, rank, shuffle=True, seed=seed)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int]:  # type: ignore[override]
        """Seed Python, NumPy and torch, and give the rows of this process."""
        entropy = np.random.SeedSequence([self.seed, self.epoch, self.rank])
        pl.seed_everything(int(entropy.generate_state(1)[0]), workers=True, verbose=False)
        chosen = self.sample(self.epoch) if self.sample else None
        for place in super().__iter__():
            row = int(place if chosen is None else chosen[place])  # type: ignore[arg-type]
            for _ in range(self.views):
                yield row

    def __len__(self) -> int:
        """Rows that this process is given in an epoch."""
        return super().__len__() * self.views


def each(images: Tensor, transform: Transform) -> Tensor:
    """Transform each image of a batch by itself: random transforms draw once for all that they are given."""
    return torch.stack([transform(image) for image in images])


def collate(items: Batch | list[Batch]) -> Batch:
    """Stack single rows; a batch that was fetched whole stays as it is."""
    if isinstance(items, Batch):
        return items
    return Batch(*(torch.stack(part) for part in zip(*items, strict=True)))


def divide(
    catalogue: Catalogue, protocol: RetrievalProtocol, num_validation: int, seed: int
) -> dict[str, tuple[Rows, Tensor]]:
    """Rows of the catalogue and their labels in each of the four sets; validation is cut from train."""
    split = protocol(catalogue)
    train, validation = cut_validation(split.train, num_validation, seed)
    judged = catalogue.labels if split.judged is None else catalogue.labels * split.judged.astype(np.uint8)
    rows = dict(zip(SETS, (train, validation, split.query, split.database), strict=True))
    return {
        name: (chosen, torch.from_numpy((judged if name in {"query", "database"} else catalogue.labels)[chosen]))
        for name, chosen in rows.items()
    }


def cut_validation(
    rows: NDArray[np.int64], num_validation: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split training rows into those to train on and a random part for validation, both sorted.

    Raises:
        ValueError: There would be nothing left to train on.
    """
    if not 0 < num_validation < len(rows):
        msg = (
            f"num_validation must be between 1 and {len(rows) - 1}, as it is cut from {len(rows)} training"
            f" images, got {num_validation}"
        )
        raise ValueError(msg)
    chosen = np.random.default_rng(seed).permutation(len(rows))
    return np.sort(rows[chosen[num_validation:]]), np.sort(rows[chosen[:num_validation]])
