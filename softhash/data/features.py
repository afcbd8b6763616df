"""Features of a frozen backbone, computed once and kept on disk."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from softhash.data.base import Draw, RetrievalDataModule, Split, collate
from softhash.data.protocols import Places
from softhash.storage.cache import ArrayCache, digest
from softhash.types import Batch


class FeatureDataModule(RetrievalDataModule):
    """The four splits of another data module, as features of a frozen backbone.

    Features are computed without augmentation, in float32, once for each image whatever splits it is in, and
    lie in ``cache_dir/features/<key>``. The key is a hash of the images' names and contents, of one as the
    backbone sees it, and of the backbone's layers and weights, so that no stale features are ever read. What
    an interrupted run has computed is kept.

    With augmented views, training images are augmented a few times, and an epoch draws one of these for each, instead
    of a new one. They are computed of validation images too, so that seeds that divide the two otherwise share them.

    Args:
        data: Data module that the images come from.
        backbone: uint8 images to ``(B, D)`` features, frozen.
        cache_dir: Folder for caches.
        views: Augmented views of each training image; 0 for the image without augmentation.

    Raises:
        ValueError: ``views`` is negative.
    """

    def __init__(self, data: RetrievalDataModule, backbone: nn.Module, cache_dir: str, views: int = 0) -> None:
        super().__init__(data.num_classes, data.batch_size, 0, data.seed)
        if views < 0:
            msg = f"cached_views must be at least 0, got {views}"
            raise ValueError(msg)
        self.data, self.backbone, self.folder = data, backbone, Path(cache_dir).expanduser() / "features"
        self.views = views

    def prepare_data(self) -> None:
        """Compute the features that are not on disk yet; in one process, while the others wait.

        Images are looked at before that alone: features of all of them can only be there if all could be decoded.
        """
        if self.cache.state != "complete":
            self.data.prepare_data()
            self.cache.build(self._features)
        if self.views and self.views_cache.state != "complete":
            self.data.prepare_data()
            self.views_cache.build(self._view_features)

    def load(self) -> dict[str, Split]:
        """Map the features; pictures still come from the images."""
        self.data.setup()
        self.class_names, self.matrix, self.tags = self.data.class_names, self.data.matrix, self.data.tags
        features, rows = self.cache.stacked(), _rows(self.whole_images.places)
        sets: dict[str, Split] = {name: FeatureSplit(split, features, rows) for name, split in self.data.sets.items()}
        if self.views:
            views = self.views_cache.stacked().unflatten(0, (-1, self.views))
            sets["train"] = ViewsSplit(
                self.data.sets["train"], features, rows, views, _rows(self.augmented_images.places)
            )
        return sets

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
        return self._cache(self.whole_images, self.whole_images[0].inputs)

    @cached_property
    def augmented_images(self) -> Split:
        """The images of training and validation, in the order of their names, augmented as training images are."""
        self.data.setup()
        return self.data.whole(("train", "validation")).with_transform(self.data.sets["train"].transform)

    @cached_property
    def views_cache(self) -> ArrayCache:
        """The features of all augmented images, the views of an image one after the other."""
        images = self.augmented_images
        what = (repr(images.transform), digest(*images.ids.tolist()), str(self.views))
        return self._cache(images, images.__getitems__([Draw(0, 0)]).inputs, self.views, what)

    def _cache(self, images: Split, first: Tensor, views: int = 1, what: Sequence[str] = ()) -> ArrayCache:
        """Features of views of some images, of which ``first`` is one as the backbone sees it.

        ``what`` tells them from others of the same data, backbone and first view.
        """
        network = [repr(self.backbone)]
        contents = [_bytes(first)]
        for name, tensor in sorted([*self.backbone.named_parameters(), *self.backbone.named_buffers()]):
            network.append(name)
            contents.append(_bytes(tensor))
        key = digest(self.data.fingerprint(), *network, *contents, *what)
        about = {"images": digest(*images.ids.tolist())}
        return ArrayCache(self.folder / key, about, views * len(images), "float32")

    def _features(self, start: int) -> Iterator[Sequence[Tensor]]:
        """``(D,)`` float32 of each image from one on, by batches."""
        rest = Subset(self.whole_images, range(start, len(self.whole_images)))
        loader: DataLoader[Batch] = DataLoader(
            rest, self.batch_size, num_workers=self.data.num_workers, collate_fn=collate
        )
        return self._through(loader, f"features of {len(rest)} images")

    def _view_features(self, start: int) -> Iterator[Sequence[Tensor]]:
        """``(D,)`` float32 of each augmented image from one on, by batches; its number is the seed of what is drawn."""
        images = self.augmented_images
        rest = [Draw(number // self.views, number) for number in range(start, self.views * len(images))]
        loader: DataLoader[Batch] = DataLoader(
            images, self.batch_size, sampler=rest, num_workers=self.data.num_workers, collate_fn=collate
        )
        return self._through(loader, f"features of {len(rest)} augmented images")

    @torch.inference_mode()
    def _through(self, loader: DataLoader[Batch], what: str) -> Iterator[Sequence[Tensor]]:
        """Features of the images that a loader gives; on a GPU where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        backbone = self.backbone.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        for batch in track(loader, what, transient=True):
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


class ViewsSplit(FeatureSplit):
    """Features of training images, of each as it is evaluated and of some augmented views.

    Args:
        images: The training images.
        features: ``(A, D)`` float32, without augmentation.
        feature_rows: ``(M,)`` int64 where among these are those of the image at each place.
        views: ``(V, views, D)`` float32.
        view_rows: ``(M,)`` int64 where among these are those of the image at each place.
    """

    def __init__(self, images: Split, features: Tensor, feature_rows: Places, views: Tensor, view_rows: Places) -> None:
        super().__init__(images, features, feature_rows)
        self.views, self.view_rows = views, view_rows

    def augmented(self, places: Places, seeds: Sequence[int]) -> Tensor:
        """``(B, D)`` features of a view of each image, which its seed chooses; never of the same view as just before.

        So a loss that compares two views of an image is given different ones, where there are two.
        """
        count = self.views.shape[1]
        chosen = np.asarray(seeds) % count
        again = (places[1:] == places[:-1]) & (chosen[1:] == chosen[:-1])
        chosen[1:][again] = (chosen[1:][again] + 1) % count
        return self.views[torch.from_numpy(self.view_rows[places]), torch.from_numpy(chosen)]


def _rows(places: Places) -> Places:
    """For each place its row among those that are there, or -1."""
    rows = np.full(places.max() + 1, -1)
    rows[places] = np.arange(len(places))
    return rows


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()
