"""Features of a frozen backbone, computed once and kept on disk."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from softhash.data.base import RetrievalDataModule, Split, collate
from softhash.data.protocols import Places
from softhash.storage.cache import ArrayCache, digest
from softhash.types import Batch


class FeatureDataModule(RetrievalDataModule):
    """The four splits of another data module, as features of a frozen backbone.

    Features are computed without augmentation, in float32, once for each image whatever splits it is in, and
    lie in ``cache_dir/features/<key>``. The key is a hash of the images' names and contents, of one as the
    backbone sees it, and of the backbone's layers and weights, so that no stale features are ever read. What
    an interrupted run has computed is kept.

    Args:
        data: Data module that the images come from.
        backbone: uint8 images to ``(B, D)`` features, frozen.
        cache_dir: Folder for caches.
    """

    def __init__(self, data: RetrievalDataModule, backbone: nn.Module, cache_dir: str) -> None:
        super().__init__(data.num_classes, data.batch_size, 0, data.seed)
        self.data, self.backbone, self.folder = data, backbone, Path(cache_dir).expanduser() / "features"

    def prepare_data(self) -> None:
        """Compute the features that are not on disk yet; in one process, while the others wait.

        Images are looked at before that alone: features of all of them can only be there if all could be decoded.
        """
        if self.cache.state != "complete":
            self.data.prepare_data()
            self.cache.build(self._features)

    def load(self) -> dict[str, Split]:
        """Map the features; pictures still come from the images."""
        self.data.setup()
        self.class_names, self.matrix, self.tags = self.data.class_names, self.data.matrix, self.data.tags
        features, places = self.cache.stacked(), self.whole_images.places
        rows = np.full(places.max() + 1, -1)
        rows[places] = np.arange(len(places))
        return {name: FeatureSplit(split, features, rows) for name, split in self.data.sets.items()}

    def validate(self) -> None:
        """Nothing: the data module of the images has looked at its splits."""

    @cached_property
    def whole_images(self) -> Split:
        """The images that there are features of, in the order of the features."""
        self.data.setup()
        return self.data.whole()

    @cached_property
    def cache(self) -> ArrayCache:
        """The features of all images, in the order of their names."""
        names = self.whole_images.ids
        network = [repr(self.backbone)]
        contents = [_bytes(self.whole_images[0].inputs)]
        for name, tensor in sorted([*self.backbone.named_parameters(), *self.backbone.named_buffers()]):
            network.append(name)
            contents.append(_bytes(tensor))
        key = digest(self.data.fingerprint(), *network, *contents)
        return ArrayCache(self.folder / key, {"images": digest(*names.tolist())}, len(names), "float32")

    @torch.inference_mode()
    def _features(self, start: int) -> Iterator[Sequence[Tensor]]:
        """``(D,)`` float32 of each image from one on, by batches; on a GPU where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        backbone = self.backbone.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        rest = Subset(self.whole_images, range(start, len(self.whole_images)))
        loader: DataLoader[Batch] = DataLoader(
            rest, self.batch_size, num_workers=self.data.num_workers, collate_fn=collate
        )
        for batch in track(loader, f"features of {len(rest)} images", transient=True):
            yield list(backbone(batch.inputs.to(device)).float().cpu())


class FeatureSplit(Split):
    """Features of a split, fetched by whole batches; :meth:`image` still gives the picture.

    Args:
        images: The split that the features were computed of.
        features: ``(A, D)`` float32.
        feature_rows: ``(M,)`` int64 where among these are those of the image at each place.
    """

    def __init__(self, images: Split, features: Tensor, feature_rows: Places) -> None:
        super().__init__(images.ids, images.labels, images.places, images.read, nn.Identity())
        self.features, self.feature_rows = features, torch.from_numpy(feature_rows)

    def inputs(self, places: Places) -> Tensor:
        """``(B, D)`` features of the images at ``(B,)`` places."""
        return self.features[self.feature_rows[torch.from_numpy(places)]]

    def augmented(self, places: Places, seeds: Sequence[int]) -> Tensor:
        """The same features: nothing is drawn at random."""
        return self.inputs(places)

    def with_transform(self, transform: object) -> Split:
        """The same features: there is nothing to augment."""
        return self


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()
