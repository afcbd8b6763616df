"""``softhash encode``: packed codes of any photos, by the encoder of a run."""

import csv
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from softhash.encoding.photos import Photos
from softhash.encoding.progress import Meter
from softhash.encoding.shards import Encode, fill, merged, shards
from softhash.export.export import format_named, load
from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.storage.atomic import atomic_write


def run(cfg: DictConfig) -> None:
    """Encode photos, by parts that are kept until all are there, and write their codes and names.

    Raises:
        FileNotFoundError: There are no photos, or the folder is not that of a run that has been trained.
        ValueError: There is something at ``out`` already, or a photo cannot be read and is not to be skipped.
        OSError: The disk is full; what was encoded is kept.
    """
    out, folder = Path(cfg.out).expanduser(), Run(cfg.run)
    if out.exists():
        msg = f"out={cfg.out} is there already; delete it, or choose another one"
        raise ValueError(msg)
    if cfg.unreadable not in {"skip", "refuse"}:
        msg = f"unreadable must be skip or refuse, got {cfg.unreadable!r}"
        raise ValueError(msg)
    identity = folder.identity() | {"runtime": cfg.runtime}
    photos = Photos(cfg.images, folder.preprocessing())
    fabric = launched(cfg)
    encode, bits = encoding(cfg, folder, identity["checkpoint"], fabric)
    kept = out.with_name(f"{out.name}.parts")
    parts = shards(kept, photos, identity, fabric.world_size)
    console = Console(soft_wrap=True)
    if fabric.is_global_zero and any(part.state == "stale" for part in parts):
        console.print(f"{kept} holds codes of other photos or another encoder; begun anew.", markup=False)
    with Meter(len(photos) // fabric.world_size, shown=fabric.is_global_zero) as meter:
        for part in parts[fabric.global_rank : fabric.global_rank + 1]:  # none where there are fewer photos
            fill(
                part,
                photos,
                encode,
                skip=cfg.unreadable == "skip",
                batch_size=cfg.batch_size,
                num_workers=cfg.num_workers,
                progress=meter,
            )
    fabric.barrier()
    if fabric.is_global_zero:
        codes, unreadable = merged(parts)
        report = write(codes, unreadable, photos, bits, identity, out)
        shutil.rmtree(kept)
        rate = "" if meter.rate is None else f", {meter.rate * fabric.world_size:,.0f} images/s"
        console.print(f"{(~unreadable).sum():,} codes of {bits} bits: {out}{rate}", markup=False)
        if report is not None:
            console.print(f"{unreadable.sum():,} photos could not be read: {report}", markup=False)


def launched(cfg: DictConfig) -> Fabric:
    """This process and the others, each with a device; they meet only when all are done."""
    several = (cfg.devices, cfg.num_nodes) != (1, 1)
    strategy = DDPStrategy(process_group_backend="gloo", timeout=timedelta(days=30)) if several else "auto"
    fabric = Fabric(accelerator=cfg.accelerator, devices=cfg.devices, num_nodes=cfg.num_nodes, strategy=strategy)
    fabric.launch()
    return fabric


def encoding(cfg: DictConfig, folder: Run, checkpoint: str, fabric: Fabric) -> tuple[Encode, int]:
    """What encodes images, and the number of bits: the encoder of the run, or the graph that was exported of it."""
    if cfg.runtime != "torch":
        path = Path(cfg.exported).expanduser() if cfg.exported else folder.exported(format_named(cfg.runtime).SUFFIX)
        graph, about = load(cfg.runtime, path, checkpoint)
        return graph, int(about["bits"])
    encoder = folder.encoder(trust=cfg.trust).to(fabric.device)

    def encode(images: Tensor) -> Tensor:
        codes: Tensor = encoder(images.to(fabric.device)).database
        return codes

    return encode, encoder.bits  # type: ignore[return-value]


def write(
    codes: NDArray[np.uint8],
    unreadable: NDArray[np.bool_],
    photos: Photos,
    bits: int,
    identity: dict[str, str],
    out: Path,
) -> Path | None:
    """Write the codes, and the names of photos that could not be read, with the reason; gives the path of these.

    Raises:
        ValueError: No photo could be read.
    """
    rows = np.flatnonzero(unreadable).tolist()
    if len(rows) == len(photos):
        msg = f"none of the {len(photos):,} photos can be read; the first: {photos.problem(0)}"
        raise ValueError(msg)
    report = out.with_name(f"{out.name}.unreadable.csv") if rows else None
    if report is not None:
        with (
            atomic_write(report) as aside,
            aside.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            csv.writer(file).writerows(
                [("path", "reason"), *((photos.names[row], photos.problem(row)) for row in rows)]
            )
    names = [name for name, left_out in zip(photos.names, unreadable.tolist(), strict=True) if not left_out]
    Collection(codes[~unreadable], names, bits, identity).write(out)
    return report
