"""``softhash data show``: a contact sheet."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from softhash.data.protocols import SPLITS
from softhash.report.contact_sheet import contact_sheet
from softhash.storage.atomic import atomic_write


def run(cfg: DictConfig) -> None:
    """Draw pictures of a split with their labels.

    Raises:
        ValueError: There is no such split, or ``count`` is below 1.
    """
    if cfg.set not in SPLITS:
        msg = f"set must be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}, got {cfg.set!r}"
        raise ValueError(msg)
    if cfg.count < 1:
        msg = f"count must be at least 1, got {cfg.count}"
        raise ValueError(msg)
    data = instantiate(cfg.data)
    data.setup()
    split, path = data.sets[cfg.set], Path(cfg.path or f"{cfg.names.data}_{cfg.set}.png")
    sheet = contact_sheet(split, data.class_names, cfg.count)
    with atomic_write(path) as aside:
        sheet.save(aside, "PNG")
    Console(soft_wrap=True).print(f"{min(cfg.count, len(split))} of {len(split):,} images: {path}", markup=False)
