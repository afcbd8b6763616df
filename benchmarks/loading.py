"""Speed and memory of loading, as ratios against other ways in the same run.

``python -m benchmarks.loading [voc2007_test.zip]`` prints a Markdown table and fails below the goals. It
takes real photos where it is given VOC2007's test archive (``VOCdevkit/VOC2007``, short side 256 pixels), and
invented ones of the same size else. Every ratio is the median over rounds in which both sides run one after
the other, in one thread.
"""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import alexnet
from torchvision.transforms import v2

from softhash.data.base import RetrievalDataModule, Split
from softhash.data.custom import FoldersDataModule
from softhash.data.features import FeatureSplit
from softhash.data.nuswide import NUSWideDataModule
from softhash.data.protocols import Sampled

_ROUNDS = 5
_PHOTOS, _BATCH, _RESIZE, _CROP = 500, 64, 256, 224
_MEAN, _STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_LARGE = 200_000  # photos, of which memory is measured


class Usual(Dataset[Tensor]):
    """What most code does: Pillow, and torchvision's first transforms, photo by photo.

    Args:
        paths: The photos.
        floats: Scale and normalise, too.
    """

    def __init__(self, paths: list[Path], floats: bool) -> None:
        steps = [transforms.Resize(_RESIZE), transforms.RandomCrop(_CROP), transforms.RandomHorizontalFlip()]
        end = [transforms.ToTensor(), transforms.Normalize(_MEAN, _STD)] if floats else [transforms.PILToTensor()]
        self.paths, self.transform = paths, transforms.Compose([*steps, *end])

    def __len__(self) -> int:
        """Number of photos."""
        return len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        """One photo."""
        with Image.open(self.paths[row]) as image:
            photo: Tensor = self.transform(image.convert("RGB"))
        return photo


def main() -> None:
    """Measure everything, and fail where a goal is missed."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if sys.argv[1:2] == ["--memory"]:
        _print_memory(Path(sys.argv[2]))
        return
    archive = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_photos(folder / "photos", archive)
        rows += _pipelines(folder)
        rows.append(_head_only(folder))
        rows.append(_memory(folder))
    print(f"{_PHOTOS} {'real' if archive else 'invented'} photos, torch {torch.__version__}, one thread\n")
    print("| what | measured | against | ratio or size | goal |\n| --- | --- | --- | --- | --- |")
    for what, ours, other, value, goal, _ in rows:
        print(f"| {what} | {ours} | {other} | {value} | {goal} |")
    missed = [row[0] for row in rows if not row[5]]
    sys.exit(f"below the goal: {', '.join(missed)}" if missed else None)


Row = tuple[str, str, str, str, str, bool]


def _pipelines(folder: Path) -> list[Row]:
    """Batches of augmented photos: ours decoding and from the cache, against the usual way."""
    paths = sorted((folder / "photos").rglob("*.jpg"))
    usual = DataLoader(Usual(paths, floats=True), _BATCH, shuffle=True)
    bytes_ = DataLoader(Usual(paths, floats=False), _BATCH, shuffle=True)
    decoding = _photos(folder)
    decoding.setup()
    decoding.build_cache()
    cached = _photos(folder)
    cached.setup()
    rows = []
    for what, other, loaders, goal in (
        ("decoding photos", "Pillow, normalised floats", (_training(decoding), usual), 1.8),
        ("decoding photos", "Pillow, bytes like ours", (_training(decoding), bytes_), 0.0),
        ("image cache", "Pillow, normalised floats", (_training(cached), usual), 10.0),
        ("image cache", "Pillow, bytes like ours", (_training(cached), bytes_), 0.0),
    ):
        ours, theirs, ratio = _compare(*(lambda loader=loader: _rate(loader) for loader in loaders))
        wanted = f"{goal:g}" if goal else ""
        rows.append((what, f"{ours:,.0f}/s", f"{other}, {theirs:,.0f}/s", f"{ratio:.1f}", wanted, ratio >= goal))
    return rows


def _head_only(folder: Path) -> Row:
    """Training steps of a hash layer on cached features, against those of AlexNet on cached photos."""
    data = _photos(folder)
    data.setup()
    whole, layer = alexnet(num_classes=48), nn.Linear(4096, 48)
    count = 10_500
    names = np.array([f"{row:06d}" for row in range(count)])
    images = Split(names, torch.zeros(count, 20), np.arange(count), lambda _: torch.empty(0), nn.Identity())
    features = FeatureSplit(images, torch.randn(count, 4096), np.arange(count))
    heads = DataLoader(features, 128, shuffle=True, collate_fn=lambda batch: batch)
    ours, theirs, ratio = _compare(
        lambda: _train(heads, layer, lambda inputs: inputs),
        lambda: _train(_training(data), whole, _scaled, steps=2),
    )
    return (
        "a layer on cached features",
        f"{ours:,.0f}/s",
        f"AlexNet end to end, {theirs:,.1f}/s",
        f"{ratio:,.0f}",
        "500",
        ratio >= 500,
    )


def _memory(folder: Path) -> Row:
    """Memory of a loading process of a large set, started from a process that does nothing else."""
    _write_large(folder / "large.zip")
    command = [sys.executable, "-m", "benchmarks.loading", "--memory", str(folder)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ourselves
    own, size, before = map(float, found.split()[-3:])
    return (
        f"a loading process of {_LARGE:,} photos",
        f"{own:.0f} MB of its own",
        f"{size:.0f} MB with what it shares; {before:.0f} MB of a process that has imported softhash",
        f"{own:.0f} MB",
        "300 MB",
        own <= 300,
    )


def _print_memory(folder: Path) -> None:
    """Load some batches in another process; print its private and resident megabytes, and ours before."""
    before = _resident("self")
    data = NUSWideDataModule(
        root=str(folder / "large.zip"), concepts=None, num_classes=81, missing="skip", **_common(folder)
    )
    data.num_workers, data.protocol.num_train = 1, 10_000  # type: ignore[attr-defined]
    data.setup()
    loader = iter(_training(data))
    for _ in range(20):
        next(loader)
    worker = loader._workers[0].pid  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way
    print(_private(worker), _resident(worker), before)


def _photos(folder: Path) -> FoldersDataModule:
    return FoldersDataModule(root=str(folder / "photos"), num_classes=2, missing="refuse", **_common(folder))


def _common(folder: Path) -> dict[str, Any]:
    """Arguments of data sets of photos."""
    return {
        "protocol": Sampled(num_query=8, num_train=_PHOTOS - 24, train_in_database=False, unlabelled="keep", seed=0),
        "num_validation": 8,
        "exclude": None,
        "tags": None,
        "resize": _RESIZE,
        "squash": False,
        "cache_dir": str(folder / "cache"),
        "image_size": _CROP,
        "augment": v2.Compose([v2.RandomCrop(_CROP), v2.RandomHorizontalFlip()]),
        "batch_size": _BATCH,
        "num_workers": 0,
        "seed": 0,
    }


def _training(data: RetrievalDataModule) -> Iterable[object]:
    return data.train_dataloader()


def _compare(ours: Callable[[], float], other: Callable[[], float]) -> tuple[float, float, float]:
    """Medians of both rates and of their ratios, a round each in turn after one to warm up."""
    ours(), other()
    rounds = [(ours(), other()) for _ in range(_ROUNDS)]
    first, second = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    return first, second, statistics.median(one / two for one, two in rounds)


def _rate(loader: Iterable[object]) -> float:
    """Images per second of processor time."""
    start = time.process_time()
    count = sum(len(batch[0] if isinstance(batch, tuple) else batch) for batch in loader)  # type: ignore[arg-type,misc]
    return count / (time.process_time() - start)


def _train(loader: Iterable[object], network: nn.Module, prepare: Callable[[Tensor], Tensor], steps: int = 0) -> float:
    """Training images per second of processor time, over some steps or all."""
    optimizer = torch.optim.Adam(network.parameters())
    count, start = 0, time.process_time()
    for step, batch in enumerate(loader):
        if steps and step == steps:
            break
        network(prepare(batch.inputs)).square().mean().backward()  # type: ignore[attr-defined]
        optimizer.step()
        optimizer.zero_grad()
        count += len(batch.inputs)  # type: ignore[attr-defined]
    return count / (time.process_time() - start)


def _scaled(images: Tensor) -> Tensor:
    return images.float() / 128 - 1


def _write_photos(folder: Path, archive: Path | None) -> None:
    """Write photos of two labels."""
    if archive is not None:
        with zipfile.ZipFile(archive) as stored:
            names = [name for name in sorted(stored.namelist()) if name.endswith(".jpg")][:_PHOTOS]
            photos = [stored.read(name) for name in names]
    else:
        photos = [_invented(seed) for seed in range(_PHOTOS)]
    for number, photo in enumerate(photos):
        path = folder / ("even", "odd")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo)


def _invented(seed: int) -> bytes:
    """A photo of clouds: noise at several scales."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((256, 341, 3))
    for side in (4, 16, 64):
        noise = Image.fromarray(rng.integers(256, size=(side, side, 3), dtype=np.uint8))
        pixels += np.asarray(noise.resize((341, 256), Image.Resampling.BICUBIC)) / 3
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "JPEG", quality=70)
    return stream.getvalue()


def _write_large(path: Path) -> None:
    """Write an archive in NUS-WIDE's layout whose photos are all one."""
    names = [f"folder{row % 700}\\{row:06d}_{row + 2124494179}.jpg" for row in range(_LARGE)]
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(stream, "JPEG")
    concepts = [f"concept{column}" for column in range(81)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ImageList/Imagelist.txt", "\n".join(names))
        archive.writestr("ConceptsList/Concepts81.txt", "\n".join(concepts))
        for column, concept in enumerate(concepts):
            values = "\n".join("1" if row % 81 == column else "0" for row in range(_LARGE))
            archive.writestr(f"Groundtruth/AllLabels/Labels_{concept}.txt", values)
        for name in names:
            archive.writestr("Flickr/" + name.replace("\\", "/"), stream.getvalue())


def _resident(process: int | str) -> float:
    """Megabytes of a process in memory, those that it shares included."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _private(process: int) -> float:
    """Megabytes in memory that a process shares with no other."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1e3


if __name__ == "__main__":
    main()
