"""``softhash search``: the nearest photos of an index, for some photos."""

from pathlib import Path

import torch
from omegaconf import DictConfig, ListConfig
from rich.console import Console
from torch import Tensor

from softhash.data.preprocessing import Preprocessing
from softhash.report.search_page import neighbour_table, write_search_page
from softhash.search.retriever import Retriever


def run(cfg: DictConfig) -> None:
    """Encode the photos, and show what they find.

    Raises:
        FileNotFoundError: There is no such run, index, photo, or folder of photos.
        ValueError: The index was made by another run, a photo is broken, or the engine has no such search.
        OSError: The server of the engine cannot be reached.
    """
    retriever = Retriever(cfg.run, cfg.index, trust=cfg.trust)
    paths = list(cfg.image) if isinstance(cfg.image, ListConfig) else [cfg.image]
    photos = [Path(str(path)).expanduser() for path in paths]
    images = torch.cat([_image(photo, retriever.preprocessing) for photo in photos])
    found = retriever.search(images, cfg.top_k, radius=cfg.radius, label=cfg.label, name=cfg.name)
    console = Console(soft_wrap=True)
    for photo, neighbours in zip(photos, found, strict=True):
        console.print(neighbour_table(photo, neighbours))
    if cfg.images is not None:
        page = Path(cfg.page).expanduser()
        write_search_page(page, photos, found, cfg.images)
        console.print(f"Open {page}", markup=False)


def _image(photo: Path, preprocessing: Preprocessing) -> Tensor:
    """``(1, channels, height, width)`` uint8.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no photo, or broken.
    """
    if not photo.is_file():
        msg = f"image={photo} does not exist"
        raise FileNotFoundError(msg)
    try:
        return preprocessing(photo)
    except (OSError, ValueError) as error:
        msg = f"image={photo} cannot be read: {error}"
        raise ValueError(msg) from error
