"""What every data set is: four splits of images with labels, and the loaders over them."""

import copy
import hashlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from softhash.data.protocols import SPLITS, Places
from softhash.functional.generators import seed_generators
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance, Relevance
from softhash.storage.cache import digest
from softhash.types import Batch

DISJOINT = (("query", "train"), ("query", "validation"), ("query", "database"), ("train", "validation"))
Transform = Callable[[Tensor], Tensor]

_ROWS = 256  # images compared with others at once


class Draw(NamedTuple):
    """A row as an epoch draws it for training.

    Attributes:
        row: Position in the training set.
        seed: Of its augmentation, below 2**32.
    """

    row: int
    seed: int


class Split(Dataset[Batch]):
    """Some images of a data set: those to train on, for validation, the queries, or the database.

    Args:
        ids: ``(N,)`` names, each of one image.
        labels: ``(N, C)`` uint8 multi-hot; C is 0 where a matrix gives similarities.
        places: ``(N,)`` int64 positions among all images of the data set.
        read: Gives the image at a place, ``(channels, height, width)`` uint8.
        transform: From that image to what the network sees, also uint8.

    Attributes:
        tags: ``(M, T)`` tags of all images of the data set, or None; see :class:`RetrievalDataModule`.
    """

    tags: NDArray[np.generic] | None = None

    def __init__(
        self,
        ids: NDArray[np.str_],
        labels: Tensor,
        places: Places,
        read: Callable[[int], Tensor],
        transform: Transform,
    ) -> None:
        self.ids, self.labels, self.places, self.read, self.transform = ids, labels, places, read, transform

    def __len__(self) -> int:
        """N."""
        return len(self.ids)

    def __getitem__(self, row: int) -> Batch:
        """One row, without the dimension of the batch."""
        return Batch(*(part[0] for part in self.__getitems__([row])))

    def __getitems__(self, rows: Sequence[int] | Sequence[Draw]) -> Batch:
        """A whole batch, channels last; each image is transformed by itself."""
        seeds = [row.seed for row in rows if isinstance(row, Draw)]
        chosen = torch.as_tensor([row.row if isinstance(row, Draw) else row for row in rows])
        places = self.places[chosen.numpy()]
        inputs = self.augmented(places, seeds) if seeds else self.inputs(places)
        tags = np.zeros((len(places), 0)) if self.tags is None else self.tags[places]
        return Batch(inputs, self.labels[chosen], chosen, torch.from_numpy(np.asarray(tags, dtype=np.float32)))

    def augmented(self, places: Places, seeds: Sequence[int]) -> Tensor:
        """What the network sees of the images at ``(B,)`` places, where each has a seed for what is drawn at random.

        Other random numbers of this process are as if nothing had been drawn.
        """
        with isolate_rng(include_cuda=False):
            images = []
            for place, seed in zip(places, seeds, strict=True):
                seed_generators(seed)
                images.append(self.inputs(np.array([place])))
        return torch.cat(images)

    def inputs(self, places: Places) -> Tensor:
        """What the network sees of the images at ``(B,)`` places."""
        images = [self.transform(self.read(place)) for place in places.tolist()]
        # Decoders and caches give channels last too, so this copies whole lines.
        return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)

    def image(self, row: int) -> Tensor:
        """``(3, height, width)`` uint8 picture of a row, for people."""
        picture = self.read(int(self.places[row]))
        return picture.expand(3, *picture.shape[1:])

    def with_transform(self, transform: Transform) -> "Split":
        """A copy with another transform."""
        return self._with(transform=transform)

    def with_images(self, ids: NDArray[np.str_], labels: Tensor, places: Places) -> "Split":
        """Other images of the same data set, read and transformed as these are."""
        return self._with(ids=ids, labels=labels, places=places)

    def _with(self, **changes: object) -> "Split":
        changed = copy.copy(self)
        vars(changed).update(changes)
        return changed


class TensorSplit(Split):
    """Images that are in memory already, fetched by whole batches.

    Args:
        ids: ``(N,)`` names, each of one image.
        labels: ``(N, C)`` uint8 multi-hot; C is 0 where a matrix gives similarities.
        places: ``(N,)`` int64 positions among all images of the data set.
        images: ``(M, channels, height, width)`` uint8, all images of the data set.
        transform: From a batch of images to what the network sees.
    """

    def __init__(
        self, ids: NDArray[np.str_], labels: Tensor, places: Places, images: Tensor, transform: Transform
    ) -> None:
        super().__init__(ids, labels, places, images.__getitem__, transform)
        self.images = images

    def inputs(self, places: Places) -> Tensor:
        """What the network sees of the images at ``(B,)`` places."""
        return self.transform(self.images[torch.from_numpy(places)])


class RetrievalDataModule(pl.LightningDataModule, ABC):
    """The splits train, validation, query and database.

    A subclass says in :meth:`load` what they hold. Validation is cut from train: models are selected on it,
    never on queries. Whether the database holds the training images is up to the protocol.

    Args:
        num_classes: C, which the labels found must have; 0 where a matrix gives similarities.
        batch_size: Images per step and process.
        num_workers: Number of loading processes.
        seed: Seed of the order of training images, and of what the subclass samples.

    Attributes:
        sets: The four splits by name, once :meth:`setup` has run.
        class_names: C names, set by :meth:`load`.
        matrix: ``(M, M)`` similarities in [0, 1] of all images of the data set, set by :meth:`load` where they are
            given in place of labels; else None.
        tags: ``(M, T)`` real, how often all images of the data set have each tag, or another description of theirs in
            text; set by :meth:`load` where there is one; else None. As images do, it counts for no checksum.

    Raises:
        ValueError: ``batch_size`` is below 2.
    """

    class_names: list[str]
    matrix: NDArray[np.generic] | None = None
    tags: NDArray[np.generic] | None = None

    def __init__(self, num_classes: int, batch_size: int, num_workers: int, seed: int) -> None:
        super().__init__()
        if batch_size < 2:
            msg = f"batch_size must be at least 2, as losses compare images of a batch, got {batch_size}"
            raise ValueError(msg)
        self.num_classes = num_classes
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.sets: dict[str, Split] = {}
        self._checked = False
        self._epoch, self._batches = 0, 0

    @abstractmethod
    def load(self) -> dict[str, Split]:
        """The four splits."""

    def check(self) -> None:
        """Look at every image before time is spent on training; nothing to do where they are in memory."""

    def fingerprint(self) -> str:
        """Hash that changes when one of the images does; of images in memory, as it looks at each."""
        whole = self.whole()
        return digest(*whole.ids.tolist(), *(whole.read(place).numpy().tobytes() for place in whole.places.tolist()))

    def prepare_data(self) -> None:
        """Refuse bad data; in one process, while the others wait."""
        self.setup()
        if not self._checked:
            self.check()
            self._checked = True

    def setup(self, stage: str | None = None) -> None:
        """Load the splits, and refuse what would make a result worthless.

        Raises:
            ValueError: A split is empty, an image is in two splits or has no place among the classes, no query has
                anything to find, or no two validation images are alike.
        """
        if not self.sets:
            self.sets = self.load()
            for split in self.sets.values():
                split.tags = self.tags
            try:
                self.validate()
            except ValueError:
                self.sets = {}
                raise

    def keep(self, counts: Mapping[str, int | None]) -> None:
        """Leave only the first images of some splits, to try things out.

        Args:
            counts: Images by split; None for all.

        Raises:
            ValueError: A count is below 1, or what is left is worthless; see :meth:`setup`.
        """
        for name, count in counts.items():
            if count is not None:
                if count < 1:
                    msg = f"max_images.{name} must be at least 1 or null, got {count}"
                    raise ValueError(msg)
                split = self.sets[name]
                self.sets[name] = split.with_images(split.ids[:count], split.labels[:count], split.places[:count])
        if any(count is not None for count in counts.values()):
            self.validate()

    def validate(self) -> None:
        """Refuse splits that do not fit each other; raises as :meth:`setup` does."""
        for name in SPLITS:
            if not len(self.sets[name]):
                msg = f"the {name} split of data={type(self).__name__} is empty"
                raise ValueError(msg)
            columns = self.sets[name].labels.shape[1]
            if columns != self.num_classes or columns != len(self.class_names):
                msg = (
                    f"the {name} split has {columns} classes and {len(self.class_names)} class names,"
                    f" data.num_classes is {self.num_classes}"
                )
                raise ValueError(msg)
        for name, other in DISJOINT:
            shared = np.intersect1d(self.sets[name].ids, self.sets[other].ids)
            if len(shared):
                msg = f"{len(shared)} images are in {name} and in {other}, the first is {shared[0]}"
                raise ValueError(msg)
        relevance = self.relevance("query", "database")
        if not relevance.any():
            num_query, num_database = relevance.shape
            what = "is similar to" if self.matrix is not None else "shares a label with"
            msg = f"none of the {num_query} queries {what} any of the {num_database} database images"
            raise ValueError(msg)
        if not _two_alike(self.relevance("validation", "validation")):
            what = "are similar" if self.matrix is not None else "share a label"
            msg = (
                f"no two of the {len(self.sets['validation'])} validation images {what}, so that no model could be"
                " selected on them; set data.num_validation to more"
            )
            raise ValueError(msg)

    def relevance(self, queries: str, items: str) -> Relevance:
        """How relevant the images of one split are to those of another, such as ``database`` to ``query``."""
        asked, searched = self.sets[queries], self.sets[items]
        if self.matrix is not None:
            return MatrixRelevance(self.matrix, asked.places, searched.places)
        return LabelRelevance(asked.labels, searched.labels, self.class_names)

    def whole(self, names: Sequence[str] = SPLITS) -> Split:
        """Each image of the four splits, or of those named, once, sorted by name, as it is evaluated."""
        splits = [self.sets[name] for name in names]
        ids, first = np.unique(np.concatenate([split.ids for split in splits]), return_index=True)
        labels = torch.cat([split.labels for split in splits])[torch.from_numpy(first)]
        places = np.concatenate([split.places for split in splits])[first]
        return self.sets["database"].with_images(ids, labels, places)

    def checksum(self) -> str:
        """SHA-256 of the sorted names of each split, with their labels: the same for equal protocols."""
        hasher = hashlib.sha256("\n".join(self.class_names).encode())
        if self.matrix is not None:
            hasher.update(MatrixRelevance(self.matrix).digest().encode())
        for name in SPLITS:
            split = self.sets[name]
            order = np.argsort(split.ids)
            hasher.update(f"\n{name}\n".encode())
            hasher.update("\n".join(split.ids[order].tolist()).encode())
            described = split.labels[torch.from_numpy(order)].numpy() if self.matrix is None else split.places[order]
            hasher.update(described.tobytes())
        return hasher.hexdigest()

    def state_dict(self) -> dict[str, int]:
        """The numbers of whole epochs, and of the batches of one that is not, for the checkpoint."""
        if not self.trainer:
            return {"epoch": 0, "batches": 0}
        loop: Any = self.trainer.fit_loop
        epochs, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress.current
        return {"epoch": epochs.processed, "batches": batches.processed if epochs.started > epochs.processed else 0}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on with an epoch: loading processes fetch batches before Lightning tells the sampler where it is."""
        self._epoch, self._batches = state_dict["epoch"], state_dict.get("batches", 0)
        if self._batches:  # the sampler knows; Lightning asks the loader
            warnings.filterwarnings("ignore", "You're resuming from a checkpoint that ended before the epoch ended")

    def train_dataloader(self) -> DataLoader[Batch]:
        """Training images, in an order that depends on the seed and the epoch alone.

        The last batch may be small, unless it were a single image: that is left out.
        """
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        hasher = self.trainer.lightning_module if self.trainer else None
        views, sample = getattr(hasher, "views", 1), getattr(hasher, "sample", None)
        sampler = EpochSampler(self.sets["train"], world, rank, self.seed, views, sample)
        size = self.batch_size * views
        sampler.go_on(self._epoch, self._batches * size)
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

    def plain_train(self) -> Split:
        """The training images without augmentation."""
        return self.sets["train"].with_transform(self.sets["database"].transform)

    def _loader(self, dataset: Split, **options: object) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            **{"batch_size": self.batch_size, **options},  # type: ignore[arg-type]
        )


class EpochSampler(DistributedSampler[Draw]):
    """Shuffles by seed and epoch, and reseeds all generators when an epoch starts, as Lightning does not store them.

    Each image comes with a seed for its augmentation, which depends on the seed of the run, the epoch, the row and the
    view alone: whichever process loads it, and whether or not the run was resumed, it is augmented alike.

    Args:
        dataset: The training images.
        world: Number of processes.
        rank: Number of this process.
        seed: Seed of the run.
        views: How often each row comes, one after the other.
        sample: Gives the rows of an epoch, always as many, or None for all.
    """

    def __init__(
        self,
        dataset: Split,
        world: int,
        rank: int,
        seed: int,
        views: int = 1,
        sample: Callable[[int], Tensor | None] | None = None,
    ) -> None:
        self.num_images, self.views, self.sample = len(dataset), views, sample
        self._resumed = (0, 0)
        first = sample(0) if sample else None
        counted = dataset if first is None else first  # only its length is asked for
        super().__init__(cast("Dataset[Draw]", counted), world, rank, shuffle=True, seed=seed)

    def go_on(self, epoch: int, done: int) -> None:
        """Begin with an epoch, of which this process has been given some rows before."""
        self.set_epoch(epoch)
        self._resumed = (epoch, done)

    def __iter__(self) -> Iterator[Draw]:
        """Seed Python, NumPy and torch, and give the rows of this process."""
        entropy = np.random.SeedSequence([self.seed, self.epoch, self.rank])
        pl.seed_everything(int(entropy.generate_state(1)[0]), workers=True, verbose=False)
        epoch, done = self._resumed
        yield from islice(self._draws(), done if epoch == self.epoch else 0, None)

    def _draws(self) -> Iterator[Draw]:
        chosen = self.sample(self.epoch) if self.sample else None
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.epoch,)))
        seeds = rng.integers(2**32, size=(self.num_images, self.views), dtype=np.uint32)
        for index in cast("Iterator[int]", super().__iter__()):
            row = index if chosen is None else int(chosen[index])
            for seed in seeds[row].tolist():
                yield Draw(row, seed)

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


def _two_alike(relevance: Relevance) -> bool:
    """Whether an image is relevant to another one, of images that are queries and items at once."""
    items = torch.arange(relevance.shape[1])
    for queries in items.split(_ROWS):
        grades = relevance.between(queries, items)
        grades[torch.arange(len(queries)), queries] = 0
        if grades.any():
            return True
    return False
