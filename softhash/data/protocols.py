"""Protocols: which images are trained on, which are queries, and which are searched.

A protocol is a callable from a :class:`Catalogue` to a :class:`Partition`. Sampling depends on the seed and the order
of the catalogue alone, and catalogues have an order of their own, whatever order a folder lists its files in.
"""

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from softhash.storage.arrays import read_npz

SPLITS = ("train", "validation", "query", "database")
Places = NDArray[np.int64]  # positions in a catalogue
Labels = NDArray[np.uint8]
Unlabelled = Literal["remove", "evaluate", "keep"]


class Catalogue(NamedTuple):
    """All images of a data set.

    Attributes:
        ids: ``(N,)`` different names; of photos, their paths below the root.
        labels: ``(N, C)`` uint8 multi-hot; C is 0 where a matrix gives similarities.
        class_names: C names; none where a matrix gives similarities.
        parts: ``(N,)`` official splits that the images are in, such as ``test`` or ``train trainval``.
    """

    ids: NDArray[np.str_]
    labels: Labels
    class_names: list[str]
    parts: NDArray[np.str_]


class Partition(NamedTuple):
    """Places in the catalogue, each sorted. The database may hold training images, but no query.

    Attributes:
        train: Places of images to train on, of which some become validation.
        query: Places of queries.
        database: Places of images to search.
        classes_that_count: ``(C,)`` bool, the classes that make a query and a database image alike; None for all.
    """

    train: Places
    query: Places
    database: Places
    classes_that_count: NDArray[np.bool_] | None = None


class RetrievalProtocol(Protocol):
    """What divides a catalogue."""

    def __call__(self, catalogue: Catalogue) -> Partition:
        """Divide."""


def divide(
    catalogue: Catalogue, protocol: RetrievalProtocol, num_validation: int, seed: int
) -> dict[str, tuple[Places, Tensor]]:
    """Places in the catalogue, and labels, of the images of each split; validation is cut from train."""
    partition = protocol(catalogue)
    train, validation = cut_validation(partition.train, num_validation, seed)
    labels = counting = catalogue.labels
    if partition.classes_that_count is not None:
        counting = labels * partition.classes_that_count.astype(np.uint8)
    return {
        "train": (train, torch.from_numpy(labels[train])),
        "validation": (validation, torch.from_numpy(labels[validation])),
        "query": (partition.query, torch.from_numpy(counting[partition.query])),
        "database": (partition.database, torch.from_numpy(counting[partition.database])),
    }


def cut_validation(places: Places, num_validation: int, seed: int) -> tuple[Places, Places]:
    """Divide training images into those to train on and a random part for validation, both sorted.

    Raises:
        ValueError: There would be nothing left to train on.
    """
    if not 0 < num_validation < len(places):
        msg = (
            f"num_validation must be between 1 and {len(places) - 1}, as it is cut from {len(places)} training"
            f" images, got {num_validation}"
        )
        raise ValueError(msg)
    order = np.random.default_rng(seed).permutation(len(places))
    return np.sort(places[order[num_validation:]]), np.sort(places[order[:num_validation]])


def without_unlabelled(partition: Partition, labels: Labels, unlabelled: Unlabelled) -> Partition:
    """Apply a policy for images without labels.

    Args:
        partition: Images as sampled.
        labels: ``(N, C)`` multi-hot.
        unlabelled: ``remove`` takes them out of all splits, ``evaluate`` out of the training images (queries find
            nothing that is relevant to them), ``keep`` out of none.

    Raises:
        ValueError: There is no such policy.
    """
    if unlabelled == "keep":
        return partition
    labelled = _labelled(labels)
    train, query, database = (places[labelled[places]] for places in partition[:3])
    if unlabelled == "evaluate":
        return Partition(train, partition.query, partition.database)
    if unlabelled == "remove":
        return Partition(train, query, database)
    msg = f"unlabelled must be remove, evaluate or keep, got {unlabelled!r}"
    raise ValueError(msg)


class Sampled:
    """Random queries and training images.

    Args:
        num_query: Number of queries.
        num_train: Number of training images, of those that are left.
        train_in_database: The database is all but the queries; false leaves the training images out as well.
        unlabelled: What happens to images without labels, see :func:`without_unlabelled`; those that are
            removed are so before sampling.
        seed: Seed of the sample.
    """

    def __init__(
        self, num_query: int, num_train: int, *, train_in_database: bool, unlabelled: Unlabelled, seed: int
    ) -> None:
        self.num_query, self.num_train, self.train_in_database = num_query, num_train, train_in_database
        self.unlabelled, self.seed = unlabelled, seed

    def __call__(self, catalogue: Catalogue) -> Partition:
        """Sample.

        Raises:
            ValueError: There are too few images.
        """
        images = _candidates(catalogue, self.unlabelled)
        order = images[np.random.default_rng(self.seed).permutation(len(images))]
        if self.num_train + self.num_query >= len(images) + (self.train_in_database and self.num_train > 0):
            msg = (
                f"{self.num_train} training images and {self.num_query} queries leave no database: there are"
                f" {len(images)} images"
            )
            raise ValueError(msg)
        query, train = order[: self.num_query], order[self.num_query : self.num_query + self.num_train]
        return _finished(catalogue, images, train, query, self)


class SampledPerClass:
    """As many random queries and training images of each class.

    Classes choose in turn, the rarest first; an image that was chosen for one class is not chosen for
    another, so there are exactly ``C * query_per_class`` queries, in which frequent classes occur more often
    than that.

    Args:
        query_per_class: Number of queries per class.
        train_per_class: Number of training images per class.
        train_in_database: The database is all but the queries; false leaves the training images out as well.
        unlabelled: What happens to images without labels, see :func:`without_unlabelled`.
        seed: Seed of the sample.
    """

    def __init__(
        self,
        query_per_class: int,
        train_per_class: int,
        *,
        train_in_database: bool,
        unlabelled: Unlabelled,
        seed: int,
    ) -> None:
        self.query_per_class, self.train_per_class = query_per_class, train_per_class
        self.train_in_database, self.unlabelled, self.seed = train_in_database, unlabelled, seed

    def __call__(self, catalogue: Catalogue) -> Partition:
        """Sample.

        Raises:
            ValueError: A class has too few images; names it. There are no classes.
        """
        _require_classes(catalogue)
        rng = np.random.default_rng(self.seed)
        images = _candidates(catalogue, self.unlabelled)
        order = images[rng.permutation(len(images))]
        free = np.ones(len(order), dtype=bool)
        query = self._choose(catalogue, order, free, self.query_per_class)
        train = self._choose(catalogue, order, free, self.train_per_class)
        return _finished(catalogue, images, train, query, self)

    def _choose(self, catalogue: Catalogue, order: Places, free: NDArray[np.bool_], count: int) -> Places:
        """Take the first free images of each class, and mark them as taken."""
        chosen = []
        for column in np.argsort(catalogue.labels.sum(0, dtype=np.int64), kind="stable"):
            first = np.flatnonzero(free & (catalogue.labels[order, column] > 0))[:count]
            if len(first) < count:
                name = catalogue.class_names[column]
                msg = f"class {name!r} has {len(first)} images left to choose {count} from; ask for fewer"
                raise ValueError(msg)
            free[first] = False
            chosen.append(order[first])
        return np.concatenate(chosen)


class OfficialSplits:
    """The splits that the authors of a data set, or a table of your own, name.

    Args:
        train: Official splits to train on.
        query: Official splits of queries.
        database: Official splits to search; may be those of train.
        unlabelled: What happens to images without labels, see :func:`without_unlabelled`.
    """

    def __init__(self, train: list[str], query: list[str], database: list[str], unlabelled: Unlabelled) -> None:
        self.train, self.query, self.database, self.unlabelled = train, query, database, unlabelled

    def __call__(self, catalogue: Catalogue) -> Partition:
        """Select; warns of images that none of the lists takes.

        Raises:
            ValueError: The data set has no such split; lists those it has.
        """
        combinations, combination = np.unique(catalogue.parts, return_inverse=True)
        splits_of = [set(names.split()) for names in combinations.tolist()]
        there, asked = set().union(*splits_of), {*self.train, *self.query, *self.database}
        for name in (*self.train, *self.query, *self.database):
            if name not in there:
                msg = f"the data set has no split {name!r}; it has {', '.join(sorted(there)) or 'none'}"
                raise ValueError(msg)
        left = [index for index, names in enumerate(splits_of) if not names & asked]
        if left:
            count = int(np.isin(combination, left).sum())
            others = ", ".join(repr(str(combinations[index])) for index in left)
            rank_zero_warn(f"{count} images are in no split of data.protocol, as the data set has them in {others}")

        def places(names: list[str]) -> Places:
            chosen = [index for index, splits in enumerate(splits_of) if splits & set(names)]
            return np.flatnonzero(np.isin(combination, chosen))

        partition = Partition(places(self.train), places(self.query), places(self.database))
        return without_unlabelled(partition, catalogue.labels, self.unlabelled)


class SplitFile:
    """A stored partition: npz with an array ``split`` ``(N,)`` of 0 database, 1 train, 2 query.

    Args:
        path: The file.
        train_in_database: Training images are searched as well.
        unlabelled: What happens to images without labels, see :func:`without_unlabelled`.
    """

    def __init__(self, path: str, *, train_in_database: bool, unlabelled: Unlabelled) -> None:
        self.path = Path(path).expanduser()
        self.train_in_database = train_in_database
        self.unlabelled = unlabelled

    def __call__(self, catalogue: Catalogue) -> Partition:
        """Look up.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be read, or is of another number of images.
        """
        name = f"data.protocol.path='{self.path}'"
        arrays = read_npz(self.path, name)
        if "split" not in arrays:
            msg = f"{name} has no array split; it has {', '.join(arrays) or 'none'}"
            raise ValueError(msg)
        split = arrays["split"]
        if split.shape != catalogue.ids.shape:
            size = len(catalogue.ids)
            msg = f"{name} splits {len(split) if split.ndim else 0} images, data.root has {size}"
            raise ValueError(msg)
        database = np.flatnonzero((split == 0) | (split == 1) & self.train_in_database)
        partition = Partition(np.flatnonzero(split == 1), np.flatnonzero(split == 2), database)
        return without_unlabelled(partition, catalogue.labels, self.unlabelled)


class UnseenClasses:
    """Train on some classes, retrieve by the others.

    Images of held-out classes are never trained on, whatever other labels they have. Queries and database are
    images of held-out classes, and these alone make one relevant to the other.

    Source: Sablayrolles, Douze, Usunier and Jegou, How should we evaluate supervised hashing?, ICASSP 2017,
    who hold out a quarter of the classes.
    Differs: they have single labels; with several, an image of a seen and of a held-out class is held out.

    Args:
        share: Share of the classes that is held out, above 0 and below 1.
        num_query: Number of queries.
        num_train: Number of training images; null for all of seen classes.
        seed: Seed of the choice of classes and images.
    """

    def __init__(self, share: float, num_query: int, num_train: int | None, seed: int) -> None:
        if not 0 < share < 1:
            msg = f"data.protocol.share must be above 0 and below 1, got {share}"
            raise ValueError(msg)
        self.share, self.num_query, self.num_train, self.seed = share, num_query, num_train, seed

    def __call__(self, catalogue: Catalogue) -> Partition:
        """Sample.

        Raises:
            ValueError: There are too few images of held-out or of seen classes, or no classes.
        """
        _require_classes(catalogue)
        rng = np.random.default_rng(self.seed)
        held_out = rng.permutation(len(catalogue.class_names))[: round(self.share * len(catalogue.class_names))]
        unseen = catalogue.labels[:, held_out].max(1) > 0
        evaluated = rng.permutation(np.flatnonzero(unseen))
        train = rng.permutation(np.flatnonzero((catalogue.labels.max(1) > 0) & ~unseen))[: self.num_train]
        if self.num_query >= len(evaluated) or len(train) < (self.num_train or 1):
            msg = (
                f"{len(evaluated)} images have a held-out class, for {self.num_query} queries and a database,"
                f" and {len(train)} have seen classes alone, to train on; change share, num_query or"
                " num_train of data.protocol"
            )
            raise ValueError(msg)
        query, database = evaluated[: self.num_query], evaluated[self.num_query :]
        counting = np.isin(np.arange(len(catalogue.class_names)), held_out)
        return Partition(np.sort(train), np.sort(query), np.sort(database), counting)


def _require_classes(catalogue: Catalogue) -> None:
    if not catalogue.class_names:
        msg = "data.protocol divides images by their classes, and this data set has similarities instead; take another"
        raise ValueError(msg)


def _labelled(labels: Labels) -> NDArray[np.bool_]:
    """``(N,)`` which images have a label; all, where a matrix gives similarities."""
    if not labels.shape[1]:
        return np.ones(len(labels), dtype=bool)
    return np.asarray(labels.max(1) > 0)


def _candidates(catalogue: Catalogue, unlabelled: Unlabelled) -> Places:
    """Places of images to sample from."""
    if unlabelled == "remove":
        return np.flatnonzero(_labelled(catalogue.labels))
    return np.arange(len(catalogue.ids))


def _finished(
    catalogue: Catalogue, images: Places, train: Places, query: Places, policy: Sampled | SampledPerClass
) -> Partition:
    """Give the rest to the database, sort, and apply the policy for images without labels."""
    taken = query if policy.train_in_database else np.concatenate([query, train])
    partition = Partition(np.sort(train), np.sort(query), np.setdiff1d(images, taken))
    return without_unlabelled(partition, catalogue.labels, policy.unlabelled)
