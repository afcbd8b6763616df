"""Features of a frozen backbone, computed once and kept on disk."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.utils.data import DataLoader

from softhash.data.base import SETS, RetrievalDataModule, RetrievalSet, TensorSet, collate
from softhash.functional.files import replacing
from softhash.types import Batch


class FeatureDataModule(RetrievalDataModule):
    """The four sets of another data module, as features of a frozen backbone.

    Features are computed without augmentation, in float32, and lie in
    ``cache_dir/features/<key>/<set>.npy``. The key is a hash of the protocol, of a picture as the backbone sees
    it, and of the backbone's weights and features for it, so that no stale features are ever read.

    Args:
        data: Where the images come from.
        backbone: uint8 images to ``(B, D)`` features, frozen.
        cache_dir: Folder for caches.
    """

    def __init__(self, data: RetrievalDataModule, backbone: nn.Module, cache_dir: str) -> None:
        super().__init__(data.num_classes, data.batch_size, 0, data.seed)
        self.data, self.backbone, self.cache = data, backbone, Path(cache_dir).expanduser() / "features"

    def prepare_data(self) -> None:
        """Compute the features that are not on disk yet; in one process, while the others wait."""
        self.data.setup()
        folder = self.cache / self.key()
        for name in SETS:
            path = folder / f"{name}.npy"
            if not path.is_file():
                split = self.data.plain_train() if name == "train" else self.data.sets[name]
                with replacing(path) as aside:
                    np.save(aside, self._features(split, name))

    def load(self) -> dict[str, RetrievalSet]:
        """Read the features; pictures still come from the images."""
        self.data.setup()
        self.class_names = self.data.class_names
        folder = self.cache / self.key()
        return {name: FeatureSet(self.data.sets[name], np.load(folder / f"{name}.npy")) for name in SETS}

    def key(self) -> str:
        """Name of the folder that holds these features."""
        digest = hashlib.sha256(self.data.checksum().encode())
        sample = self.data.sets["database"][0].inputs
        assert isinstance(sample, Tensor)  # noqa: S101 - one view
        digest.update(sample.numpy().tobytes())
        for name, tensor in sorted(self.backbone.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().numpy().tobytes())
        digest.update(type(self.backbone).__name__.encode())
        return digest.hexdigest()[:32]

    @torch.inference_mode()
    def _features(self, split: RetrievalSet, name: str) -> np.ndarray:
        """``(N, D)`` float32, on a GPU where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        backbone = self.backbone.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        loader: DataLoader[Batch] = DataLoader(
            split, self.batch_size, num_workers=self.data.num_workers, collate_fn=collate
        )
        found = [
            backbone(batch.inputs.to(device)).float().cpu()
            for batch in track(loader, f"features of {name}", transient=True)
        ]
        return torch.cat(found).numpy()


class FeatureSet(TensorSet):
    """Features of a set, fetched by whole batches; :meth:`image` still gives the picture.

    Args:
        images: The set that the features were computed of.
        features: ``(N, D)`` float32.
    """

    def __init__(self, images: RetrievalSet, features: np.ndarray) -> None:
        RetrievalSet.__init__(self, images.ids, images.labels, images.read, nn.Identity())
        self.images = torch.from_numpy(features)
