"""Features as means over views of an image: itself, crops, and their mirror images."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torchvision.transforms.v2.functional import center_crop, five_crop, horizontal_flip

from softhash.backbones.features import Features


class AveragedViews(nn.Module):
    """Mean of a backbone's features over views of each image.

    A backbone sees one view while it learns, the centre for the first share; a frozen one always sees all.

    Source: Krizhevsky, Sutskever and Hinton, NeurIPS 2012, who average predictions over ten crops.
    Differs: features are averaged.

    Args:
        backbone: uint8 images to ``(B, D)`` features; has ``out_features`` and ``frozen``.
        mirrored: Also take the mirror image, left to right, of each view.
        shares: Sides of crops as shares of the image's, above 0 and at most 1, rounded to pixels. 1 gives the whole
            image; less gives five crops, the corners and the centre.

    Raises:
        ValueError: There is no share, or one is out of range; or the backbone takes features and no images.
    """

    def __init__(self, backbone: nn.Module, mirrored: bool, shares: Sequence[float]) -> None:
        super().__init__()
        if isinstance(backbone, Features):
            msg = "views=... averages over views of images, but the data are features; leave it out"
            raise ValueError(msg)  # noqa: TRY004 - what the user chose
        if not shares or not all(0 < share <= 1 for share in shares):
            msg = f"views.shares must be one or more numbers above 0 and at most 1, got {list(shares)}"
            raise ValueError(msg)
        self.backbone, self.mirrored, self.shares = backbone, mirrored, tuple(shares)
        self.out_features, self.frozen = backbone.out_features, backbone.frozen

    def forward(self, images: Tensor) -> Tensor:
        """``(B, channels, height, width)`` uint8 to ``(B, D)`` float32."""
        if self.training and not self.frozen:
            features: Tensor = self.backbone(center_crop(images, sides(images, self.shares[0])))
            return features
        return torch.stack([self.backbone(view) for view in self.views(images)]).mean(0)

    def views(self, images: Tensor) -> Iterator[Tensor]:
        """All views of ``(B, channels, height, width)`` images, each a batch of B."""
        for share in self.shares:
            for crop in [images] if share == 1 else five_crop(images, sides(images, share)):
                yield crop
                if self.mirrored:
                    yield horizontal_flip(crop)

    def extra_repr(self) -> str:
        """What tells two of them apart; it is a part of the key of cached features."""
        return f"mirrored={self.mirrored}, shares={self.shares}"


def sides(images: Tensor, share: float) -> list[int]:
    """Height and width in pixels of a crop that has a share of the images' sides."""
    return [max(1, round(share * side)) for side in images.shape[2:]]
