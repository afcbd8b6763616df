"""Data sets of photos: what there is, which of it a protocol takes, and how it is read."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.utilities import rank_zero_warn
from rich.progress import MofNCompleteColumn, Progress
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.transforms.v2 import CenterCrop

from softhash.data.base import RetrievalDataModule, Split, Transform
from softhash.data.decode import DECODER, ImageReader
from softhash.data.protocols import Catalogue, Places, RetrievalProtocol, divide
from softhash.data.tags import check_tags
from softhash.storage.archive import Files
from softhash.storage.arrays import read_npy
from softhash.storage.cache import ArrayCache, digest
from softhash.text import first_few

_CHUNK = 64  # photos that are decoded and written at once


class PhotoDataModule(RetrievalDataModule):
    """Photos below ``root``, divided by a protocol.

    Args:
        root: Folder as the official archives unpack, or a zip or tar archive of it.
        protocol: Which photos are trained on, queries and database.
        num_validation: Number of images to select models on, cut from the training images.
        missing: ``refuse`` to go on without a photo that has labels, or ``skip`` it, before the protocol.
        exclude: File with one path per line, of photos to leave out before the protocol; null for none.
        tags: npy file of an array ``(N, T)`` of real values, in the order of the data set before photos are left out:
            how often each photo has each tag, or another description in text; null for none.
        resize: Short side in pixels.
        squash: Make the long side as short, as some code does, instead of keeping the proportions.
        cache_dir: Folder for caches; photos that :meth:`build_cache` has decoded are read from there.
        image_size: Side of the square that is cut out of the resized photo.
        augment: From a resized training photo to a square of ``image_size``.
        num_classes: C.
        batch_size: Images per step and process.
        num_workers: Number of loading processes.
        seed: Seed of the validation images and of the order of training images.

    Attributes:
        hint: What to put below ``root``, for messages.
        skipped: Photos that were left out, with the reason.
        published: Number of photos in each official split; under the empty name that of all.
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
        tags: str | None,
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
        self.root = root
        self.protocol = protocol
        self.num_validation = num_validation
        self.missing = missing
        self.exclude = exclude
        self.tags_file = tags
        self.resize = resize
        self.squash = squash
        self.image_size = image_size
        self.augment = augment
        self.cache_dir = Path(cache_dir).expanduser()
        self.skipped: dict[str, str] = {}

    @abstractmethod
    def catalogue(self, files: Files) -> Catalogue:
        """All photos that the lists of the data set name."""

    def read_tags(self, path: str, ids: NDArray[np.str_]) -> NDArray[np.generic]:
        """Tags ``(N, T)`` of the photos of the catalogue, from ``data.tags``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no npy file.
        """
        return read_npy(Path(path).expanduser(), f"data.tags={path!r}")

    @cached_property
    def files(self) -> Files:
        """What lies below ``root``."""
        return Files(self.root, "data.root", self.hint)

    def available(self) -> Catalogue:
        """The photos that are there and not excluded; :attr:`skipped` says which are not.

        Raises:
            FileNotFoundError: A photo is missing, and the policy is to refuse; or there are no such tags.
            ValueError: Two photos have one name, a name is not text in UTF-8, or tags do not fit the photos.
        """
        catalogue = self.catalogue(self.files)
        ids, counts = np.unique(catalogue.ids, return_counts=True)
        if (counts > 1).any():
            msg = f"{(counts > 1).sum()} photos are listed more than once: {first_few(ids[counts > 1].tolist())}"
            raise ValueError(msg)
        odd = [name for name in ids.tolist() if not _is_text(name)]
        if odd:
            msg = (
                f"{len(odd)} photos in data.root={self.root!r} have names that are not text in UTF-8:"
                f" {first_few(odd)}; rename them"
            )
            raise ValueError(msg)
        self.skipped = dict.fromkeys(self.excluded(catalogue.ids), "excluded")
        if self.missing == "skip":
            self.skipped |= dict.fromkeys(self.files.missing(catalogue.ids.tolist()), "missing")
        else:
            self.files.require([name for name in catalogue.ids.tolist() if name not in self.skipped])
        if self.tags_file is not None:
            self.tags = self.read_tags(self.tags_file, catalogue.ids)
            check_tags(self.tags, len(catalogue.ids), f"data.tags={self.tags_file!r}")
        if not self.skipped:
            return catalogue
        kept = ~np.isin(catalogue.ids, list(self.skipped))
        if self.matrix is not None:
            self.matrix = self.matrix[np.ix_(kept, kept)]
        if self.tags is not None:
            self.tags = self.tags[kept]
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
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            msg = f"data.exclude={self.exclude!r} is not text in UTF-8 ({error}); save it again in this encoding"
            raise ValueError(msg) from error
        names = [line.strip() for line in text.splitlines() if line.strip()]
        unknown = sorted(set(names) - set(ids.tolist()))
        if unknown:
            msg = (
                f"data.exclude={self.exclude!r} names {len(unknown)} photos that the data set does not have:"
                f" {first_few(unknown)}"
            )
            raise ValueError(msg)
        return names

    def load(self) -> dict[str, Split]:
        """Read the lists, divide the photos, and cut validation from train."""
        catalogue = self.available()
        self.class_names = catalogue.class_names
        divided = divide(catalogue, self.protocol, self.num_validation, self.seed)
        used = np.unique(np.concatenate([places for places, _ in divided.values()]))
        read, centre = self._reader(catalogue.ids, used), CenterCrop(self.image_size)
        return {
            name: Split(catalogue.ids[places], labels, places, read, self.augment if name == "train" else centre)
            for name, (places, labels) in divided.items()
        }

    def fingerprint(self) -> str:
        """Hash of the names of all photos and of when they changed."""
        names = self.whole().ids.tolist()
        return digest(*names, *self.files.fingerprints(names))

    def cache(self, names: list[str]) -> ArrayCache:
        """Decoded and resized photos, in the order of their sorted names; there only once it was built."""
        what = f"{DECODER} {self.resize} {'squashed' if self.squash else 'short side'}"
        folder = self.cache_dir / "images" / digest(what, *names)
        return ArrayCache(
            folder,
            lambda: {"decoder": what, "sources": digest(*self.files.fingerprints(names))},
            len(names),
            "uint8",
        )

    def build_cache(self) -> Path:
        """Decode all photos of the splits into the cache, in ``num_workers`` processes; gives its folder.

        What an interrupted call has decoded is kept. Splits that were made before this call go on decoding.

        Raises:
            ValueError: A photo cannot be decoded; names it.
            OSError: The disk is full.
        """
        self.setup()
        names = self.whole().ids.tolist()
        cache = self.cache(names)
        photos = _Decoded(self.reader(names))

        def decoded(start: int) -> Iterator[Sequence[Tensor]]:
            rest = Subset(photos, range(start, len(names)))
            loader: DataLoader[Tensor] = DataLoader(rest, _CHUNK, num_workers=self.num_workers, collate_fn=list)
            with Progress(*Progress.get_default_columns(), MofNCompleteColumn()) as progress:
                task = progress.add_task(f"photos at {self.resize} pixels", total=len(names), completed=start)
                for images in loader:
                    yield images
                    progress.advance(task, len(images))

        cache.build(decoded)
        return cache.folder

    def reader(self, names: Sequence[str]) -> ImageReader:
        """What decodes photos, by their place among ``names``."""
        return ImageReader(self.files, self.files.positions(names), self.resize, self.squash)

    def _reader(self, names: NDArray[np.str_], used: Places) -> "ImageReader | CachedPhotos":
        """What reads photos by their place: from the cache, if it holds those that are used, else from their files."""
        order = used[np.argsort(names[used])]
        cache = self.cache(names[order].tolist())
        state = cache.state
        if state == "stale":
            rank_zero_warn(f"photos have changed since {cache.folder} was made, so they are decoded; prepare renews it")
        if state == "complete":
            rows = np.full(len(names), -1)
            rows[order] = np.arange(len(order))
            return CachedPhotos(cache, rows)
        return self.reader(names.tolist())

    def check(self) -> None:
        """Refuse photos that cannot be decoded.

        Raises:
            ValueError: Names the first ones, says why, and how many there are.
        """
        whole = self.whole()
        if not isinstance(whole.read, ImageReader):  # decoded already, so they can be
            return
        names = whole.ids.tolist()
        reasons = [whole.read.broken(place) for place in whole.places.tolist()]
        broken = [f"{name} ({reason})" for name, reason in zip(names, reasons, strict=True) if reason]
        if broken:
            msg = (
                f"{len(broken)} of {len(names)} photos in data.root={self.root!r} cannot be decoded:"
                f" {first_few(broken)}.\n"
                "  Get them again, or list them in a file, one per line, and set data.exclude to it."
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


class _Decoded(Dataset[Tensor]):
    """Photos as rows of a cache, ``(height, width, 3)``."""

    def __init__(self, read: ImageReader) -> None:
        self.read = read

    def __getitem__(self, row: int) -> Tensor:
        return self.read(row).permute(1, 2, 0)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
