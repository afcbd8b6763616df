"""What every hasher does: turn images into relaxed codes, and pass over the training set."""

from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from softhash.functional.distributed import gather_rows
from softhash.types import Batch


class Hasher(LightningModule):
    """A backbone, and what turns its features into relaxed codes.

    Codes are always computed in float32, whatever precision the trainer uses for training, so queries and
    database are encoded alike.

    Args:
        name: Name of its row in tables and of its file of codes.
        bits: Code length K.
        backbone: Images to features; has ``out_features`` and ``frozen``.
    """

    def __init__(self, name: str, bits: int, backbone: nn.Module) -> None:
        super().__init__()
        if bits < 1:
            msg = f"bits must be at least 1, got {bits}"
            raise ValueError(msg)
        self.name, self.bits, self.backbone = name, bits, backbone

    def features(self, inputs: Any) -> Tensor:
        """``(B, D)`` features of images; inputs with two dimensions are cached features already."""
        features: Tensor = inputs if inputs.ndim == 2 else self.backbone(inputs)
        return features

    def relax(self, features: Tensor) -> Tensor:
        """``(B, K)`` relaxed codes of ``(B, D)`` features; a bit is 1 where they are above 0."""
        raise NotImplementedError

    @torch.no_grad()
    def encode(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """Features ``(B, D)`` and relaxed codes ``(B, K)`` of a batch, in float32."""
        with torch.autocast(self.device.type, enabled=False):
            features = self.features(inputs).float()
            return features, self.relax(features).float()

    def validation_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Relaxed codes for the retrieval callback."""
        del batch_idx
        return self.encode(batch.inputs)[1]

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Relaxed codes for the retrieval callback: of queries (loader 0) and database (loader 1)."""
        del batch_idx, dataloader_idx
        return self.encode(batch.inputs)[1]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write down whose weights these are."""
        checkpoint["softhash"] = self.identity()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights of another method, code length or backbone.

        Raises:
            ValueError: The checkpoint belongs to another model; names what differs.
        """
        found, wanted = checkpoint.get("softhash", {}), self.identity()
        differs = [
            f"{key} is {found.get(key)!r}, not {wanted[key]!r}" for key in wanted if found.get(key) != wanted[key]
        ]
        if differs:
            msg = f"the checkpoint is of another model: its {'; its '.join(differs)}"
            raise ValueError(msg)

    def identity(self) -> dict[str, Any]:
        """What must agree between a checkpoint and the model that reads it.

        One class stands for many networks (all of torchvision's), so the number of parameters tells them apart.
        """
        size = sum(parameter.numel() for parameter in self.backbone.parameters())
        backbone = f"{type(self.backbone).__name__} of {size:,} parameters"
        return {"method": self.name, "bits": self.bits, "backbone": backbone}


class TrainingPass:
    """The training set as losses and estimators see it; see :class:`softhash.types.TrainingSet`."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self._data: Any = hasher.trainer.datamodule  # type: ignore[attr-defined]
        self.bits = hasher.bits

    @property
    def labels(self) -> Tensor:
        """``(N, C)`` uint8 multi-hot, in row order."""
        labels: Tensor = self._data.sets["train"].labels
        return labels

    def encode(self) -> tuple[Tensor, Tensor]:
        """Features ``(N, D)`` and relaxed codes ``(N, K)``, float32, in row order."""
        features, relaxed = self._over(self._hasher.encode)
        return features, relaxed

    def features(self) -> Tensor:
        """Features ``(N, D)``, float32, in row order."""
        return self._over(lambda inputs: (self._hasher.features(inputs).float(),))[0]

    @torch.no_grad()
    def _over(self, function: Callable[[Tensor], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """Apply a function to all inputs; each process takes its share of the rows, and all get the whole."""
        hasher, whole = self._hasher, self._data.predict_dataloader()
        share = range(hasher.global_rank, len(whole.dataset), hasher.trainer.world_size)
        loader = DataLoader(
            whole.dataset,
            batch_size=whole.batch_size,
            sampler=share,
            num_workers=whole.num_workers,
            collate_fn=whole.collate_fn,
        )
        training = hasher.training
        hasher.eval()
        rows, results = [], []
        for batch in loader:
            rows.append(batch.rows.to(hasher.device))
            results.append(function(batch.inputs.to(hasher.device)))
        hasher.train(training)
        _, *gathered = gather_rows(torch.cat(rows), *(torch.cat(parts) for parts in zip(*results, strict=True)))
        return tuple(gathered)
