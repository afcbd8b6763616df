"""A hasher of two modalities: images, and the tags that describe them."""

from typing import Any

import torch
from torch import Tensor

from softhash.data.base import RetrievalDataModule
from softhash.functional.distributed import gather_batch
from softhash.hashers.deep import DeepHasher
from softhash.hashers.encoder import Encoder
from softhash.losses.dcmh import DCMHLoss
from softhash.types import Batch, Codes


class DCMHHasher(DeepHasher):
    """Images and tags get codes of the same length, each from an encoder of its own.

    The results are called ``NAME-i2t``, images as queries and tags as database, which selects models; ``NAME-t2i``, the
    other way round; and ``NAME-i2i``, images alone, which compares with methods that see nothing else.
    ``Run(folder).encoder()`` gives the encoder of images, ``Run(folder).encoder("text_encoder")`` that of tags.

    Args:
        text_encoder: From ``(B, T)`` tags to codes; its backbone passes them on.
        **options: Those of :class:`softhash.hashers.deep.DeepHasher`.
    """

    loss: DCMHLoss

    def __init__(self, *, text_encoder: Encoder, **options: Any) -> None:
        super().__init__(**options)
        self.text_encoder = text_encoder

    @property
    def methods(self) -> list[str]:
        """Modality of the queries, then of the database."""
        return [f"{self.name}-i2t", f"{self.name}-t2i", f"{self.name}-i2i"]

    def codes(self, batch: Batch, split: str) -> dict[str, Codes]:
        """Codes of a batch, by method."""
        images: Codes = self.encoder(batch.inputs)
        texts: Codes = self.text_encoder(batch.tags)
        sides = [(images, texts), (texts, images), (images, images)]
        return {
            method: database._replace(query=query.query)
            for method, (query, database) in zip(self.methods, sides, strict=True)
        }

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted terms of the loss."""
        images = self.encoder.relax(self.encoder.features(batch.inputs))
        texts = self.text_encoder.relax(self.text_encoder.features(batch.tags))
        with torch.autocast(self.device.type, enabled=False):
            given = (images.float(), batch.labels.float(), batch.rows, texts.float())
            terms: dict[str, Tensor] = self.loss(*(gather_batch(*given) if self.global_batch else given))
        return terms

    def check(self, data: RetrievalDataModule) -> None:
        """Refuse data that the method cannot learn from.

        Raises:
            ValueError: The data set has no tags, or another number than the encoder takes; says what to do.
        """
        super().check(data)
        if data.tags is None:
            msg = (
                f"method={self.name} learns from images and their tags, and this data set has no tags.\n"
                "  Photos take data.tags=FILE.npy, an array (N, T) in the order of the data set, with num_tags=T;"
                " data=precomputed an array tags beside the features; data=digits has tags."
            )
            raise ValueError(msg)
        num_tags = self.text_encoder.backbone.out_features
        if data.tags.shape[1] != num_tags:
            found = data.tags.shape[1]
            msg = f"this data set has {found} tags, num_tags is {num_tags}; set num_tags={found}"
            raise ValueError(msg)
