"""Features of a frozen backbone, computed once and kept on disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, Subset

from softhash.data.base import SETS, RetrievalDataModule, RetrievalSet, collate
from softhash.storage.cache import ArrayCache, digest
from softhash.types import Batch


class FeatureDataModule(RetrievalDataModule):
    """The four sets of another data module, as features of a frozen backbone.

    Features are computed without augmentation, in float32, once for each image whatever sets it is in, and
    lie in ``cache_dir/features/<key>``. The key is a hash of the images' names and contents, of one as the
    backbone sees it, and of the backbone's layers and weights, so that no stale features are ever read. What
    an interrupted run has computed is kept.

    Args:
        data: Where the images come from.
        backbone: uint8 images to ``(B, D)`` features, frozen.
        cache_dir: Folder for caches.
    """

    def __init__(self, data: RetrievalDataModule, backbone: nn.Module, cache_dir: str) -> None:
        super().__init__(data.num_classes, data.batch_size, 0, data.seed)
        self.data, self.backbone, self.folder = data, backbone, Path(cache_dir).expanduser() / "features"

    def prepare_data(self) -> None:
        """Compute the features that are not on disk yet; in one process, while the others wait."""
        self.data.prepare_data()
        cache = self.cache()
        if cache.state != "complete":
            cache.build(self._features)

    def load(self) -> dict[str, RetrievalSet]:
        """Map the features; pictures still come from the images."""
        self.data.setup()
        self.class_names, self.matrix = self.data.class_names, self.data.matrix
        features, (names, _) = self.cache().stacked(), self.data.images()
        return {name: FeatureSet(split, features, names) for name, split in self.data.sets.items()}

    def cache(self) -> ArrayCache:
        """The features of all images, in the order of their names."""
        names, _ = self.data.images()
        sample = self.data.sets["database"][0].inputs
        assert isinstance(sample, Tensor)  # noqa: S101 - one view
        backbone = [repr(self.backbone)]
        weights = [_bytes(sample)]
        for name, tensor in sorted([*self.backbone.named_parameters(), *self.backbone.named_buffers()]):
            backbone.append(name)
            weights.append(_bytes(tensor))
        key = digest(self.data.fingerprint(), *backbone, *weights)
        return ArrayCache(self.folder / key, {"images": digest(*names.tolist())}, len(names), "float32")

    @torch.inference_mode()
    def _features(self, start: int) -> Iterator[Sequence[Tensor]]:
        """``(D,)`` float32 of each image from one on, by batches; on a GPU where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        backbone = self.backbone.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        plain: ConcatDataset[Batch] = ConcatDataset(
            [self.data.plain_train(), *(self.data.sets[name] for name in SETS[1:])]
        )
        places = self.data.images()[1][start:].tolist()
        loader: DataLoader[Batch] = DataLoader(
            Subset(plain, places), self.batch_size, num_workers=self.data.num_workers, collate_fn=collate
        )
        for batch in track(loader, f"features of {len(places)} images", transient=True):
            yield list(backbone(batch.inputs.to(device)).float().cpu())


class FeatureSet(RetrievalSet):
    """Features of a set, fetched by whole batches; :meth:`image` still gives the picture.

    Args:
        images: The set that the features were computed of.
        features: ``(M, D)`` float32 of all images of the data set.
        names: ``(M,)`` names of these images, sorted.
    """

    def __init__(self, images: RetrievalSet, features: Tensor, names: NDArray[np.str_]) -> None:
        super().__init__(images.ids, images.labels, images.places, images.read, nn.Identity())
        self.features, self.rows = features, torch.from_numpy(np.searchsorted(names, images.ids))

    def __getitem__(self, row: int) -> Batch:
        """One row, without the dimension of the batch."""
        return Batch(self.features[self.rows[row]], self.labels[row], torch.tensor(row))

    def __getitems__(self, rows: Sequence[int]) -> Batch:
        """A whole batch."""
        taken = torch.as_tensor(rows)
        return Batch(self.features[self.rows[taken]], self.labels[taken], taken)

    def with_transform(self, transform: object) -> "FeatureSet":
        """The same features: there is nothing to augment."""
        del transform
        return self


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()
