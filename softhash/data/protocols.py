"""Protocols: which images are trained on, which are queries, and which are searched.

A protocol is a callable from a :class:`Catalogue` to a :class:`Split`. Sampling depends on the seed and the
order of the catalogue alone, and catalogues have an order of their own, whatever order a folder lists its
files in.
"""

from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Labels = NDArray[np.uint8]
Unlabelled = Literal["remove", "evaluate", "keep"]


class Catalogue(NamedTuple):
    """All images of a data set.

    Attributes:
        ids: ``(N,)`` different names; of photos, their paths below the root.
        labels: ``(N, C)`` uint8 multi-hot; C is 0 where a matrix gives similarities.
        class_names: C names; none where a matrix gives similarities.
        parts: ``(N,)`` the official parts that the images belong to, such as ``test`` or ``train trainval``.
    """

    ids: NDArray[np.str_]
    labels: Labels
    class_names: list[str]
    parts: NDArray[np.str_]


class Split(NamedTuple):
    """Rows of the catalogue, each sorted. The database may hold training images, but no query.

    Attributes:
        train: Rows to train on.
        query: Rows of queries.
        database: Rows to search.
        judged: ``(C,)`` which classes count between queries and database; None for all.
    """

    train: Rows
    query: Rows
    database: Rows
    judged: NDArray[np.bool_] | None = None


class RetrievalProtocol(Protocol):
    """What divides a catalogue."""

    def __call__(self, catalogue: Catalogue) -> Split:
        """Rows of training images, queries and database, and the classes that count between the latter."""


def without_unlabelled(split: Split, labels: Labels, unlabelled: Unlabelled) -> Split:
    """Apply a policy for images without labels.

    Args:
        split: Rows as sampled.
        labels: ``(N, C)`` multi-hot.
        unlabelled: ``remove`` takes them out of all sets, ``evaluate`` out of the training set (queries find
            nothing that is relevant to them), ``keep`` out of none.

    Raises:
        ValueError: There is no such policy.
    """
    if unlabelled == "keep":
        return split
    labelled = _labelled(labels)
    train = split.train[labelled[split.train]]
    if unlabelled == "evaluate":
        return Split(train, split.query, split.database)
    if unlabelled == "remove":
        return Split(train, split.query[labelled[split.query]], split.database[labelled[split.database]])
    msg = f"unlabelled must be remove, evaluate or keep, got {unlabelled!r}"
    raise ValueError(msg)


class Sampled:
    """Random queries and training images.

    Args:
        num_query: Queries.
        num_train: Training images, of those that are left.
        train_in_database: The database is all but the queries; false leaves the training images out as well.
        unlabelled: What happens to images without labels, see :func:`without_unlabelled`; those that are
            removed are so before sampling.
        seed: Of the sample.
    """

    def __init__(
        self, num_query: int, num_train: int, *, train_in_database: bool, unlabelled: Unlabelled, seed: int
    ) -> None:
        self.num_query, self.num_train, self.train_in_database = num_query, num_train, train_in_database
        self.unlabelled, self.seed = unlabelled, seed

    def __call__(self, catalogue: Catalogue) -> Split:
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
        query_per_class: Queries.
        train_per_class: Training images.
        train_in_database: The database is all but the queries; false leaves the training images out as well.
        unlabelled: What happens to images without labels, see :func:`without_unlabelled`.
        seed: Of the sample.
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

    def __call__(self, catalogue: Catalogue) -> Split:
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

    def _choose(self, catalogue: Catalogue, order: Rows, free: NDArray[np.bool_], count: int) -> Rows:
        """Take the first free images of each class, and mark them as taken."""
        chosen = []
        for column in np.argsort(catalogue.labels.sum(0, dtype=np.int64), kind="stable"):
            found = np.flatnonzero(free & (catalogue.labels[order, column] > 0))[:count]
            if len(found) < count:
                name = catalogue.class_names[column]
                msg = f"class {name!r} has {len(found)} images left to choose {count} from; ask for fewer"
                raise ValueError(msg)
            free[found] = False
            chosen.append(order[found])
        return np.concatenate(chosen)


class Parts:
    """The official parts of a data set, whole.

    Args:
        train: Parts to train on.
        query: Parts of queries.
        database: Parts to search; may be those of train.
        unlabelled: What happens to images without labels, see :func:`without_unlabelled`.
    """

    def __init__(self, train: list[str], query: list[str], database: list[str], unlabelled: Unlabelled) -> None:
        self.train, self.query, self.database, self.unlabelled = train, query, database, unlabelled

    def __call__(self, catalogue: Catalogue) -> Split:
        """Select.

        Raises:
            ValueError: The data set has no such part; lists those it has.
        """
        kinds, kind_of = np.unique(catalogue.parts, return_inverse=True)
        there = sorted({part for kind in kinds.tolist() for part in kind.split()})
        for part in (*self.train, *self.query, *self.database):
            if part not in there:
                msg = f"the data set has no part {part!r}; it has {', '.join(there) or 'none'}"
                raise ValueError(msg)

        def rows(parts: list[str]) -> Rows:
            wanted = np.array([bool(set(kind.split()) & set(parts)) for kind in kinds.tolist()])
            return np.flatnonzero(wanted[kind_of])

        split = Split(rows(self.train), rows(self.query), rows(self.database))
        return without_unlabelled(split, catalogue.labels, self.unlabelled)


class SplitFile:
    """A stored split: npz with an array ``split`` ``(N,)`` of 0 database, 1 train, 2 query.

    Args:
        path: The file.
        train_in_database: Training images are searched as well.
        unlabelled: What happens to images without labels, see :func:`without_unlabelled`.
    """

    def __init__(self, path: str, *, train_in_database: bool, unlabelled: Unlabelled) -> None:
        self.path, self.train_in_database, self.unlabelled = (
            Path(path).expanduser(),
            train_in_database,
            unlabelled,
        )

    def __call__(self, catalogue: Catalogue) -> Split:
        """Look up.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It splits another number of images.
        """
        if not self.path.is_file():
            msg = f"data.protocol.path='{self.path}' does not exist"
            raise FileNotFoundError(msg)
        with np.load(self.path) as stored:
            split = stored["split"]
        if len(split) != len(catalogue.ids):
            size = len(catalogue.ids)
            msg = f"data.protocol.path='{self.path}' splits {len(split)} images, data.root has {size}"
            raise ValueError(msg)
        database = np.flatnonzero((split == 0) | (split == 1) & self.train_in_database)
        rows = Split(np.flatnonzero(split == 1), np.flatnonzero(split == 2), database)
        return without_unlabelled(rows, catalogue.labels, self.unlabelled)


class UnseenClasses:
    """Train on some classes, retrieve by the others.

    Images of held-out classes are never trained on, whatever other labels they have. Queries and database are
    images of held-out classes, and these alone make one relevant to the other.

    Source: Sablayrolles, Douze, Usunier and Jegou, How should we evaluate supervised hashing?, ICASSP 2017,
    who hold out a quarter of the classes.
    Differs: they have single labels; with several, an image of a seen and of a held-out class is held out.

    Args:
        share: Part of the classes that is held out, above 0 and below 1.
        num_query: Queries.
        num_train: Training images; null for all of seen classes.
        seed: Of classes and images.
    """

    def __init__(self, share: float, num_query: int, num_train: int | None, seed: int) -> None:
        if not 0 < share < 1:
            msg = f"data.protocol.share must be above 0 and below 1, got {share}"
            raise ValueError(msg)
        self.share, self.num_query, self.num_train, self.seed = share, num_query, num_train, seed

    def __call__(self, catalogue: Catalogue) -> Split:
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
        judged = np.isin(np.arange(len(catalogue.class_names)), held_out)
        return Split(np.sort(train), np.sort(evaluated[: self.num_query]), np.sort(evaluated[self.num_query :]), judged)


def _require_classes(catalogue: Catalogue) -> None:
    if not catalogue.class_names:
        msg = "data.protocol divides images by their classes, and this data set has similarities instead; take another"
        raise ValueError(msg)


def _labelled(labels: Labels) -> NDArray[np.bool_]:
    """``(N,)`` which images have a label; all, where a matrix gives similarities."""
    if not labels.shape[1]:
        return np.ones(len(labels), dtype=bool)
    return np.asarray(labels.any(1))


def _candidates(catalogue: Catalogue, unlabelled: Unlabelled) -> Rows:
    """Rows to sample from."""
    if unlabelled == "remove":
        return np.flatnonzero(_labelled(catalogue.labels))
    return np.arange(len(catalogue.ids))


def _finished(catalogue: Catalogue, images: Rows, train: Rows, query: Rows, policy: Sampled | SampledPerClass) -> Split:
    """Give the rest to the database, sort, and apply the policy for images without labels."""
    taken = query if policy.train_in_database else np.concatenate([query, train])
    split = Split(np.sort(train), np.sort(query), np.setdiff1d(images, taken))
    return without_unlabelled(split, catalogue.labels, policy.unlabelled)
