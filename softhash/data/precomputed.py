"""Features that somebody else computed: no images at all."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from softhash.data.base import RetrievalDataModule, RetrievalSet, TensorSet, divide
from softhash.data.protocols import Catalogue, RetrievalProtocol
from softhash.ranking.relevance import check_matrix


class PrecomputedDataModule(RetrievalDataModule):
    """Features and labels, or similarities, in arrays, divided by a protocol.

    ``root`` is an npz file, or a folder of npy files that are mapped into memory, with the arrays
    ``features`` ``(N, D)``, ``labels`` ``(N, C)`` of 0 and 1 and, where wanted, ``ids``, ``class_names`` and
    ``parts`` (see :class:`softhash.data.protocols.Catalogue`). ``similarity`` ``(N, N)`` may be there in place of
    ``labels`` of real values in [0, 1]: entry i, j is how
    similar j is to i.

    Args:
        root: The file or folder.
        protocol: Which rows are trained on, queries and database.
        num_validation: Rows to select models on, cut from the training rows.
        num_features: D, which the features found must have.
        num_classes: C; 0 for similarities.
        batch_size: Rows a step and process.
        num_workers: Loading processes; 0 is fastest.
        seed: Of the validation rows and of the order of training rows.
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
        self.root, self.protocol, self.num_validation = Path(root).expanduser(), protocol, num_validation
        self.num_features = num_features

    def load(self) -> dict[str, RetrievalSet]:
        """Map the arrays, and divide their rows.

        Raises:
            ValueError: The arrays do not fit each other or ``num_features``, or features are not finite.
        """
        arrays = _arrays(self.root)
        features = arrays["features"]
        if "similarity" in arrays:
            self.matrix = arrays["similarity"]
            check_matrix(self.matrix, f"similarity of data.root='{self.root}'")
            labels = np.zeros((len(self.matrix), 0), dtype=np.uint8)
        else:
            labels = np.asarray(arrays["labels"])
        if features.ndim != 2 or labels.ndim != 2 or len(features) != len(labels):
            msg = f"features are {features.shape} and labels {labels.shape}; they should be (N, D) and (N, C)"
            raise ValueError(msg)
        if features.shape[1] != self.num_features:
            msg = f"features have {features.shape[1]} values, data.num_features is {self.num_features}"
            raise ValueError(msg)
        if not np.isin(labels, (0, 1)).all():
            msg = f"labels of data.root='{self.root}' should be 0 or 1"
            raise ValueError(msg)
        labels = labels.astype(np.uint8)
        names = [_text(name) for name in arrays.get("class_names", np.arange(labels.shape[1]))]
        self.class_names = names
        ids = np.array([_text(name) for name in arrays.get("ids", np.arange(len(labels)))])
        parts = np.array([_text(part) for part in arrays.get("parts", np.full(len(labels), ""))])
        divided = divide(Catalogue(ids, labels, names, parts), self.protocol, self.num_validation, self.seed)
        sets: dict[str, RetrievalSet] = {}
        for name, (rows, own) in divided.items():
            taken = np.asarray(features[rows], dtype=np.float32)
            if not np.isfinite(taken).all():
                odd = int((~np.isfinite(taken)).max(1).sum())
                msg = f"{odd} rows of the {name} set have features that are not finite"
                raise ValueError(msg)
            sets[name] = VectorSet(ids[rows], own, rows, torch.from_numpy(taken), nn.Identity())
        return sets


class VectorSet(TensorSet):
    """``(N, D)`` features instead of images; the picture of a row shows its values, dark to bright."""

    def image(self, row: int) -> Tensor:
        """``(3, side, side)`` uint8, of the smallest side that holds the D values."""
        values = self.images[row]
        side = int(np.ceil(np.sqrt(len(values))))
        grey = torch.zeros(side * side)
        span = (values.max() - values.min()).clamp(min=1e-12)
        grey[: len(values)] = (values - values.min()) / span * 255
        return grey.to(torch.uint8).reshape(1, side, side).expand(3, side, side)


def _arrays(root: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of an npz file or a folder of npy files.

    Raises:
        FileNotFoundError: There are no features, or neither labels nor similarities.
        ValueError: There are both.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    if root.is_dir():
        arrays = {path.stem: np.load(path, mmap_mode="r") for path in root.glob("*.npy")}
    elif root.is_file():
        with np.load(root) as stored:
            arrays = {name: stored[name] for name in stored.files}
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


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
