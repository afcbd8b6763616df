"""Features that somebody else computed: no images at all."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from softhash.data.base import RetrievalDataModule, Split, TensorSplit
from softhash.data.protocols import Catalogue, Labels, Places, RetrievalProtocol, divide
from softhash.data.tags import check_tags
from softhash.ranking.relevance import check_matrix
from softhash.storage.arrays import read_npy, read_npz
from softhash.text import first_few

_CHUNK = 8192  # rows of features looked at together

Arrays = dict[str, NDArray[np.generic]]


class PrecomputedDataModule(RetrievalDataModule):
    """Features and labels, or similarities, in arrays, divided by a protocol.

    ``root`` is an npz file, or a folder of npy files that are mapped into memory, with the arrays ``features``
    ``(N, D)``, ``labels`` ``(N, C)`` of 0 and 1 and, where wanted, ``ids`` ``(N,)``, ``class_names`` ``(C,)`` and
    ``parts`` ``(N,)`` (see :class:`softhash.data.protocols.Catalogue`). In place of ``labels`` there may be
    ``similarity`` ``(N, N)`` of real values in [0, 1]: entry i, j is how similar j is to i. ``tags`` ``(N, T)``, how
    often each image has each tag or another description in text, are for methods that learn from them.

    Args:
        root: The file or folder.
        protocol: Which images are trained on, queries and database.
        num_validation: Number of images to select models on, cut from the training images.
        num_features: D, which the features found must have.
        num_classes: C; 0 for similarities.
        batch_size: Images per step and process.
        num_workers: Number of loading processes; 0 is fastest.
        seed: Seed of the validation images and of the order of training images.
    """

    def __init__(
        self,
        *,
        root: str,
        protocol: RetrievalProtocol,
        num_validation: int,
        num_features: int,
        num_classes: int,
        batch_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__(num_classes, batch_size, num_workers, seed)
        self.root = Path(root).expanduser()
        self.protocol = protocol
        self.num_validation = num_validation
        self.num_features = num_features

    def load(self) -> dict[str, Split]:
        """Map the arrays, and divide the images.

        Raises:
            FileNotFoundError: There are no features, or neither labels nor similarities.
            ValueError: The arrays do not fit each other or ``num_features``, or features or tags are not finite.
        """
        arrays = _arrays(self.root)
        if "similarity" in arrays:
            self.matrix = arrays["similarity"]
            check_matrix(self.matrix, f"similarity of data.root='{self.root}'")
        catalogue = self._catalogue(arrays)
        self.class_names = catalogue.class_names
        if "tags" in arrays:
            self.tags = arrays["tags"]
            check_tags(self.tags, len(catalogue.ids), f"tags of data.root='{self.root}'")
        features = self._features(arrays["features"], len(catalogue.ids))
        divided = divide(catalogue, self.protocol, self.num_validation, self.seed)
        for name, (places, _) in divided.items():
            odd = _not_finite(features, places)
            if odd:
                msg = f"{odd} images of the {name} split have features that are not finite"
                raise ValueError(msg)
        images = torch.from_numpy(features)
        return {
            name: VectorSplit(catalogue.ids[places], labels, places, images, nn.Identity())
            for name, (places, labels) in divided.items()
        }

    def _features(self, features: NDArray[np.generic], count: int) -> NDArray[np.float32]:
        """``(N, D)`` float32, still mapped into memory where that is how they are stored."""
        if features.ndim != 2 or len(features) != count:
            what = f"there are {count} images by labels or similarity"
            msg = f"features of data.root='{self.root}' are {features.shape} and should be (N, D); {what}"
            raise ValueError(msg)
        if features.dtype.kind not in "fiub":
            msg = f"features of data.root='{self.root}' are {features.dtype}; they should be real numbers"
            raise ValueError(msg)
        if features.shape[1] != self.num_features:
            msg = f"features have {features.shape[1]} values, data.num_features is {self.num_features}"
            raise ValueError(msg)
        with np.errstate(over="ignore"):  # infinite ones are refused
            return np.asarray(features, dtype=np.float32)

    def _catalogue(self, arrays: Arrays) -> Catalogue:
        """Names and labels of all images."""
        labels = self._labels(arrays)
        count, width = labels.shape
        lengths = {"ids": count, "parts": count, "class_names": width}
        for name, expected in lengths.items():
            if name in arrays and arrays[name].shape != (expected,):
                msg = (
                    f"{name} of data.root='{self.root}' has shape {arrays[name].shape}; it should be ({expected},), as"
                    f" there are {count} images and {width} classes"
                )
                raise ValueError(msg)
        ids = self._text("ids", arrays.get("ids", np.arange(count)))
        names, counts = np.unique(ids, return_counts=True)
        if len(names) < count:
            twice = first_few(names[counts > 1].tolist())
            msg = f"ids of data.root='{self.root}' has {count - len(names)} names more than once: {twice}"
            raise ValueError(msg)
        parts = self._text("parts", arrays.get("parts", np.full(count, "")))
        class_names = self._text("class_names", arrays.get("class_names", np.arange(width))).tolist()
        return Catalogue(ids, labels, class_names, parts)

    def _labels(self, arrays: Arrays) -> Labels:
        """``(N, C)`` uint8; C is 0 for similarities."""
        if self.matrix is not None:
            return np.zeros((len(self.matrix), 0), dtype=np.uint8)
        labels = np.asarray(arrays["labels"])
        if labels.ndim != 2:
            msg = f"labels of data.root='{self.root}' are {labels.shape} and should be multi-hot, (N, C)"
            raise ValueError(msg)
        if labels.dtype.kind not in "fiub" or not np.isin(labels, (0, 1)).all():
            msg = f"labels of data.root='{self.root}' should be 0 or 1"
            raise ValueError(msg)
        return labels.astype(np.uint8)

    def _text(self, name: str, values: NDArray[np.generic]) -> NDArray[np.str_]:
        """Names as text, whatever they are stored as."""
        try:
            return np.array(
                [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()],
                dtype=np.str_,
            )
        except UnicodeDecodeError as error:
            msg = f"{name} of data.root='{self.root}' is not text in UTF-8: {error}"
            raise ValueError(msg) from error


class VectorSplit(TensorSplit):
    """``(M, D)`` features instead of images; the picture of a row shows its values, dark to bright."""

    def augmented(self, places: Places, seeds: Sequence[int]) -> Tensor:
        """The same features: nothing is drawn at random."""
        return self.inputs(places)

    def image(self, row: int) -> Tensor:
        """``(3, side, side)`` uint8, of the smallest side that holds the D values."""
        values = self.images[self.places[row]]
        side = int(np.ceil(np.sqrt(len(values))))
        grey = torch.zeros(side * side)
        span = (values.max() - values.min()).clamp(min=1e-12)
        grey[: len(values)] = (values - values.min()) / span * 255
        return grey.to(torch.uint8).reshape(1, side, side).expand(3, side, side)


def _arrays(root: Path) -> Arrays:
    """The arrays of an npz file or a folder of npy files.

    Raises:
        FileNotFoundError: There are no features, or neither labels nor similarities.
        ValueError: There are both, or a file cannot be read.
    """
    arrays: Arrays = {}
    if root.is_dir():
        arrays = {path.stem: read_npy(path, f"{path.name} in data.root='{root}'") for path in root.glob("*.npy")}
    elif root.is_file():
        arrays = read_npz(root, f"data.root='{root}'")
    if "features" not in arrays or not {"labels", "similarity"} & set(arrays):
        msg = (
            f"data.root='{root}' has no arrays features and labels (or similarity); it should be an npz file with them,"
            " or a folder with features.npy and labels.npy"
        )
        raise FileNotFoundError(msg)
    if {"labels", "similarity"} <= set(arrays):
        msg = f"data.root='{root}' has both labels and similarity; leave one out"
        raise ValueError(msg)
    return arrays


def _not_finite(features: NDArray[np.float32], places: Places) -> int:
    """How many of some images have a feature that is no finite number."""
    chunks = (places[start : start + _CHUNK] for start in range(0, len(places), _CHUNK))
    return sum(int((~np.isfinite(features[chunk])).any(1).sum()) for chunk in chunks)
