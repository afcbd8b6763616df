"""What every hasher does: give codes of batches, and pass over the training set."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from softhash.data.base import RetrievalDataModule
from softhash.functional.distributed import gather_rows
from softhash.hashers.encoder import Encoder
from softhash.types import Batch, Codes

_SPLITS = ("query", "database")  # of the loaders of a test


class Hasher(LightningModule):
    """An encoder, and how it comes to be.

    Args:
        name: Name of the method in tables and of its file of codes.
        encoder: Images to codes.

    Attributes:
        views: How often each training image comes in a batch, each time augmented anew.
        learns_from: ``classes``, ``similarity`` or ``nothing`` but the images.
    """

    views = 1
    learns_from = "nothing"

    def __init__(self, name: str, encoder: Encoder) -> None:
        super().__init__()
        self.name, self.encoder = name, encoder

    @property
    def bits(self) -> int:
        """Code length K that was asked for."""
        return self.encoder.bits

    @property
    def methods(self) -> list[str]:
        """Names of the methods in the result table, which are the keys of :meth:`codes`; the first selects models."""
        return [self.name]

    def codes(self, batch: Batch, split: str) -> dict[str, Codes]:
        """Codes of a batch of the split ``validation``, ``query`` or ``database``, by method."""
        codes: Codes = self.encoder(batch.inputs)
        return {self.name: codes}

    def sample(self, epoch: int) -> Tensor | None:
        """Rows to train on in an epoch, ``(n,)`` int64 and always as many; None for all."""
        return None

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Codes]:
        """Codes for the callbacks."""
        return self.codes(batch, "validation")

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> dict[str, Codes]:
        """Codes for the callbacks: of queries (loader 0) and database (loader 1)."""
        return self.codes(batch, _SPLITS[dataloader_idx])

    def check(self, data: RetrievalDataModule) -> None:
        """Refuse data that the method cannot learn from.

        Raises:
            ValueError: The data give similarities of images and no classes, from which this method learns.
        """
        if data.matrix is not None and self.learns_from == "classes":
            msg = (
                f"method={self.name} learns from labels, and this data set has a matrix of similarities instead.\n"
                "  Take a method that compares images by a similarity, such as idhn, dhn or dpsh."
            )
            raise ValueError(msg)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the identity of the model in the checkpoint."""
        checkpoint["softhash"] = self.identity()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse weights of another method, code length or backbone.

        Raises:
            ValueError: The checkpoint belongs to another model; names what differs.
        """
        stored, wanted = checkpoint.get("softhash", {}), self.identity()
        differs = [
            f"{key} is {stored.get(key)!r}, not {wanted[key]!r}" for key in wanted if stored.get(key) != wanted[key]
        ]
        if differs:
            msg = f"the checkpoint is of another model: its {'; its '.join(differs)}"
            raise ValueError(msg)

    def identity(self) -> dict[str, Any]:
        """What must agree between a checkpoint and the model that reads it.

        One class stands for many networks (all of torchvision's), so the number of parameters tells them apart.
        """
        network = self.encoder.backbone
        size = sum(parameter.numel() for parameter in network.parameters())
        backbone = f"{type(network).__name__} of {size:,} parameters"
        return {"method": self.name, "bits": self.bits, "backbone": backbone}


class TrainingPass:
    """The training set as losses and estimators see it; see :class:`softhash.types.TrainingSet`."""

    def __init__(self, hasher: Hasher) -> None:
        self._hasher = hasher
        self._data: RetrievalDataModule = hasher.trainer.datamodule  # type: ignore[attr-defined]
        self.bits = hasher.bits

    @property
    def labels(self) -> Tensor:
        """``(N, C)`` uint8 multi-hot, in row order."""
        return self._data.sets["train"].labels

    @property
    def similarity(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """Given similarities of rows to rows; None where labels say them."""
        return None if self._data.matrix is None else self._data.relevance("train", "train").between

    def encode(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features ``(n, D)`` and relaxed codes ``(n, K)``, float32, of all rows or of some, ascending."""
        features, relaxed = self._over(self._hasher.encoder.relaxed, rows)
        return features, relaxed

    def features(self) -> Tensor:
        """Features ``(N, D)``, float32, in row order."""
        encoder = self._hasher.encoder
        return self._over(lambda inputs: (encoder.features(inputs).float(),), None)[0]

    @torch.no_grad()
    def _over(self, function: Callable[[Tensor], tuple[Tensor, ...]], rows: Tensor | None) -> tuple[Tensor, ...]:
        """Apply a function to inputs; each process takes its share of the rows, and all get the whole."""
        hasher, whole = self._hasher, self._data.predict_dataloader()
        chosen: Sequence[int] = range(len(whole.dataset)) if rows is None else rows.tolist()  # type: ignore[arg-type]
        loader = DataLoader(
            whole.dataset,
            batch_size=whole.batch_size,
            sampler=chosen[hasher.global_rank :: hasher.trainer.world_size],
            num_workers=whole.num_workers,
            collate_fn=whole.collate_fn,
        )
        training = hasher.training
        hasher.eval()
        places, results = [], []
        for batch in loader:
            places.append(batch.rows.to(hasher.device))
            results.append(function(batch.inputs.to(hasher.device)))
        hasher.train(training)
        _, *gathered = gather_rows(torch.cat(places), *(torch.cat(parts) for parts in zip(*results, strict=True)))
        return tuple(gathered)
