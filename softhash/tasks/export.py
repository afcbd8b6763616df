"""``softhash export``: the encoder of a run as one graph, for another runtime."""

import warnings
from importlib.metadata import version
from pathlib import Path

import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from softhash.data.preprocessing import Preprocessing
from softhash.encoding.photos import Photos
from softhash.export.export import export, format_named
from softhash.runs.folder import Run

_NOISE = 64  # images of noise, where no photos are given
_PICTURES = ("query_images", "neighbour_images")  # of the gallery


def run(cfg: DictConfig) -> None:
    """Write the graph, compare its bits with the encoder's, and show both speeds.

    Raises:
        FileNotFoundError: The folder is not that of a run that has been trained, or there are no photos.
        ValueError: There is a file already, the format cannot hold the encoder, or a bit differs.
        OSError: The disk is full.
    """
    folder, suffix = Run(cfg.run), format_named(cfg.format).SUFFIX
    path = Path(cfg.out).expanduser() if cfg.out else folder.exported(suffix)
    if path.suffix != suffix:
        msg = f"out={cfg.out} should end in {suffix}, as format={cfg.format}"
        raise ValueError(msg)
    if path.exists():
        msg = f"{path} is there already; delete it, or choose another one with out=FILE"
        raise ValueError(msg)
    identity, preprocessing = folder.identity(), folder.preprocessing()
    encoder = folder.encoder(trust=cfg.trust)
    photos = Photos(cfg.images, preprocessing).sample(cfg.count) if cfg.images else pictures(folder, preprocessing)
    values = {"bits": encoder.bits, **vars(preprocessing), "softhash": version("softhash")}
    about = identity | {name: str(value) for name, value in values.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of converters, about themselves
        found = export(encoder, cfg.format, about, photos, path)  # type: ignore[arg-type]
    margin = "" if found.margin is None else f"; the relaxed value nearest to 0 is {found.margin:.1e} from it"
    console = Console(soft_wrap=True)
    console.print(f"All bits of {found.images:,} images are equal{margin}.", markup=False)
    speed = f"{found.graph:,.1f} images/s, {found.graph / found.eager:.1f} times the {found.eager:,.1f} of PyTorch"
    console.print(f"{path}: {speed}", markup=False)
    if encoder(photos[:1]).query.ndim == 3:
        console.print("Its codes are those of a database; queries have tables, which are not exported.", markup=False)


def pictures(folder: Run, preprocessing: Preprocessing) -> Tensor:
    """Images of the run's gallery, as far as it has one, and of noise."""
    gallery, size = folder.gallery(), preprocessing.image_size
    noise = torch.randint(256, (_NOISE, preprocessing.channels, size, size), generator=torch.Generator().manual_seed(0))
    found = [gallery[name].reshape(-1, *gallery[name].shape[-3:]) for name in _PICTURES if name in gallery]
    return torch.cat([*(preprocessing(*torch.from_numpy(images)) for images in found), noise.byte()])
