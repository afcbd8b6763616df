"""Data sets of photos: what there is, which of it a protocol takes, and how it is read."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.utilities import rank_zero_warn
from rich.progress import MofNCompleteColumn, Progress
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.transforms.v2 import CenterCrop

from softhash.data.base import RetrievalDataModule, RetrievalSet, Transform, divide
from softhash.data.decode import DECODER, Files, Photos, some
from softhash.data.protocols import Catalogue, RetrievalProtocol
from softhash.storage.cache import ArrayCache, digest

_CHUNK = 64  # photos that are decoded and written at once


class PhotoDataModule(RetrievalDataModule):
    """Photos below ``root``, divided by a protocol.

    Args:
        root: Folder as the official archives unpack, or a zip or tar archive of it.
        protocol: Which photos are trained on, queries and database.
        num_validation: Images to select models on, cut from the training images.
        missing: ``refuse`` to go on without a photo that has labels, or ``skip`` it, before the protocol.
        exclude: File with a path a line, of photos to leave out before the protocol; null for none.
        resize: Short side in pixels.
        squash: Make the long side as short, as some code does, instead of keeping the proportions.
        cache_dir: Folder for caches; photos that :meth:`build_cache` has decoded are read from there.
        image_size: Side of the square that is cut out of the resized photo.
        augment: Of a resized training photo, to a square of ``image_size``.
        num_classes: C.
        batch_size: Images a step and process.
        num_workers: Loading processes.
        seed: Of the validation images and of the order of training images.

    Attributes:
        skipped: Photos that were left out, with the reason.
        published: Number of photos in each official part; of the empty name for all.
    """

    hint: str
    published: Mapping[str, int] = MappingProxyType({})

    def __init__(
        self,
        *,
        root: str,
        protocol: RetrievalProtocol,
        num_validation: int,
        missing: str,
        exclude: str | None,
        resize: int,
        squash: bool,
        cache_dir: str,
        image_size: int,
        augment: Transform,
        num_classes: int,
        batch_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__(num_classes, batch_size, num_workers, seed)
        if resize < image_size:
            msg = f"data.resize={resize} is smaller than image_size={image_size}, which is cut out of the photo"
            raise ValueError(msg)
        if missing not in {"refuse", "skip"}:
            msg = f"data.missing must be refuse or skip, got {missing!r}"
            raise ValueError(msg)
        self.root, self.protocol, self.num_validation = root, protocol, num_validation
        self.missing, self.exclude = missing, exclude
        self.resize, self.squash, self.image_size, self.augment = resize, squash, image_size, augment
        self.cache_dir = Path(cache_dir).expanduser()
        self.skipped: dict[str, str] = {}

    @abstractmethod
    def catalogue(self, files: Files) -> Catalogue:
        """All photos that the lists of the data set name."""

    def files(self) -> Files:
        """What lies below ``root``."""
        return Files(self.root, self.hint)

    def available(self, files: Files) -> Catalogue:
        """The photos that are there and not excluded; :attr:`skipped` says which are not.

        Raises:
            FileNotFoundError: A photo is missing, and the policy is to refuse.
            ValueError: Two photos have one name.
        """
        catalogue = self.catalogue(files)
        ids, counts = np.unique(catalogue.ids, return_counts=True)
        if (counts > 1).any():
            msg = f"{(counts > 1).sum()} photos are listed more than once: {some(ids[counts > 1].tolist())}"
            raise ValueError(msg)
        self.skipped = dict.fromkeys(self.excluded(catalogue.ids), "excluded")
        if self.missing == "skip":
            self.skipped |= dict.fromkeys(files.missing(catalogue.ids.tolist()), "missing")
        else:
            files.require([name for name in catalogue.ids.tolist() if name not in self.skipped])
        if not self.skipped:
            return catalogue
        kept = ~np.isin(catalogue.ids, list(self.skipped))
        if self.matrix is not None:
            self.matrix = self.matrix[np.ix_(kept, kept)]
        return Catalogue(catalogue.ids[kept], catalogue.labels[kept], catalogue.class_names, catalogue.parts[kept])

    def excluded(self, ids: NDArray[np.str_]) -> list[str]:
        """Names that :attr:`exclude` lists.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It names something that is no photo of the data set.
        """
        if self.exclude is None:
            return []
        path = Path(self.exclude).expanduser()
        if not path.is_file():
            msg = f"data.exclude={self.exclude!r} does not exist"
            raise FileNotFoundError(msg)
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        unknown = sorted(set(names) - set(ids.tolist()))
        if unknown:
            msg = (
                f"data.exclude={self.exclude!r} names {len(unknown)} photos that the data set does not have:"
                f" {some(unknown)}"
            )
            raise ValueError(msg)
        return names

    def load(self) -> dict[str, RetrievalSet]:
        """Read the lists, divide the photos, and cut validation from train."""
        files = self.files()
        catalogue = self.available(files)
        self.class_names = catalogue.class_names
        divided = divide(catalogue, self.protocol, self.num_validation, self.seed)
        ids = np.unique(catalogue.ids[np.concatenate([rows for rows, _ in divided.values()])])
        read, centre = self._reader(files, ids, catalogue.ids), CenterCrop(self.image_size)
        return {
            name: RetrievalSet(
                catalogue.ids[rows],
                labels,
                rows,
                read,
                self.augment if name == "train" else centre,
            )
            for name, (rows, labels) in divided.items()
        }

    def photos(self, files: Files) -> Photos:
        """What decodes the photos."""
        return Photos(files, self.resize, self.squash)

    def fingerprint(self) -> str:
        """Hash of the names of all photos and of when they changed."""
        ids = self.images()[0].tolist()
        return digest(*ids, *self.files().fingerprints(ids))

    def cache(self, files: Files, ids: NDArray[np.str_]) -> ArrayCache:
        """Decoded and resized photos, in the order of their sorted names; there only once it was built."""
        what = f"{DECODER} {self.resize} {'squashed' if self.squash else 'short side'}"
        folder = self.cache_dir / "images" / digest(what, *ids.tolist())
        # Looking at every file takes a while, and there is nothing to compare it with before the first time.
        sources = digest(*files.fingerprints(ids.tolist())) if folder.is_dir() else ""
        return ArrayCache(folder, {"decoder": what, "sources": sources}, len(ids), "uint8")

    def build_cache(self) -> Path:
        """Decode all photos of the sets into the cache, in ``num_workers`` processes; gives its folder.

        What an interrupted call has decoded is kept. Sets that exist already keep decoding.

        Raises:
            ValueError: A photo cannot be decoded; names it.
            OSError: The disk is full.
        """
        self.setup()
        files, ids = self.files(), self.images()[0]
        self.cache(files, ids).folder.mkdir(parents=True, exist_ok=True)
        cache = self.cache(files, ids)
        photos = _Decoded(self.photos(files), ids)

        def decoded(start: int) -> Iterator[Sequence[Tensor]]:
            rest = Subset(photos, range(start, len(ids)))
            loader: DataLoader[Tensor] = DataLoader(rest, _CHUNK, num_workers=self.num_workers, collate_fn=list)
            with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
                task = progress.add_task(f"photos at {self.resize} pixels", total=len(ids), completed=start)
                for images in loader:
                    yield images
                    progress.advance(task, len(images))

        cache.build(decoded)
        return cache.folder

    def _reader(self, files: Files, ids: NDArray[np.str_], names: NDArray[np.str_]) -> Callable[[int], Tensor]:
        cache = self.cache(files, ids)
        state = cache.state
        if state == "stale":
            rank_zero_warn(f"photos have changed since {cache.folder} was made, so they are decoded; prepare renews it")
        if state == "complete":
            return CachedPhotos(cache, np.searchsorted(ids, names))
        return NamedPhotos(self.photos(files), names)

    def check(self) -> None:
        """Refuse photos that cannot be decoded.

        Raises:
            ValueError: Names the first ones, says why, and how many there are.
        """
        if isinstance(self.sets["train"].read, CachedPhotos):  # decoded, so they can be
            return
        photos, ids = self.photos(self.files()), self.images()[0].tolist()
        broken = [(name, reason) for name in ids if (reason := photos.broken(name))]
        if broken:
            msg = (
                f"{len(broken)} of {len(ids)} photos in data.root={self.root!r} cannot be decoded:"
                f" {some([f'{name} ({reason})' for name, reason in broken])}.\n"
                "  Get them again, or list them in a file, one a line, and set data.exclude to it."
            )
            raise ValueError(msg)


class CachedPhotos:
    """Reads decoded photos from a cache.

    Args:
        cache: Rows of ``(height, width, 3)`` uint8.
        rows: ``(M,)`` int64 row of the cache that holds the photo at each place.
    """

    def __init__(self, cache: ArrayCache, rows: NDArray[np.int64]) -> None:
        self.cache, self.rows = cache, rows

    def __call__(self, place: int) -> Tensor:
        """``(3, height, width)`` uint8."""
        return self.cache[int(self.rows[place])].permute(2, 0, 1)


class NamedPhotos:
    """Decodes photos by their place.

    Args:
        photos: Decodes a photo by its name.
        names: ``(M,)`` name of the photo at each place.
    """

    def __init__(self, photos: Photos, names: NDArray[np.str_]) -> None:
        self.photos, self.names = photos, names

    def __call__(self, place: int) -> Tensor:
        """``(3, height, width)`` uint8."""
        return self.photos(str(self.names[place]))


class _Decoded(Dataset[Tensor]):
    """Photos as rows of a cache, ``(height, width, 3)``."""

    def __init__(self, photos: Photos, ids: NDArray[np.str_]) -> None:
        self.photos, self.ids = photos, ids

    def __getitem__(self, row: int) -> Tensor:
        return self.photos(str(self.ids[row])).permute(1, 2, 0)
