"""What the classical methods cost: fitting, its growth with the number of images, memory, and items encoded a second.

``python -m benchmarks.shallow [METHOD ...]`` prints a Markdown table. Each method has a process of its own, one thread,
and is timed in seconds of the processor. Features are as many as EfficientNet-Lite0 has, in 40 groups; extra memory is
that of the larger fit above the features.
"""

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import softhash.config  # noqa: F401 - registers what configs call
from benchmarks.memory import extra_memory
from softhash.config import root

_FEW, _MANY, _FEATURES, _CLASSES, _BITS, _ENCODED = 5_000, 50_000, 1_280, 40, 48, 20_000
_CONF = root() / "conf"


def main() -> None:
    """Print the table, or with a folder before the method its line."""
    if sys.argv[2:] and Path(sys.argv[1]).is_dir():
        with threadpool_limits(1):
            print(_line(Path(sys.argv[1]), sys.argv[2]))
        return
    asked = sys.argv[1:] or [path.stem for path in sorted((_CONF / "method").glob("*.yaml")) if _is_estimator(path)]
    print(f"{_BITS} bits, {_FEATURES:,} features of {_CLASSES} groups, one thread\n")
    print(f"| method | fit {_FEW:,} | fit {_MANY:,} | growth | extra memory | items a second |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder))
        for name in asked:
            command = [sys.executable, "-m", "benchmarks.shallow", folder, name]
            print(subprocess.check_output(command, text=True).strip(), flush=True)  # noqa: S603


def _is_estimator(path: Path) -> bool:
    return "\nestimator:" in path.read_text(encoding="utf-8")


def _write(folder: Path) -> None:
    """Features and labels: one group an image, and now and then a second."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((_CLASSES, _FEATURES))
    groups = rng.integers(_CLASSES, size=(_MANY, 2))
    features = np.lib.format.open_memmap(folder / "features.npy", "w+", np.float32, (_MANY, _FEATURES))
    for start in range(0, _MANY, 1000):
        span = slice(start, start + 1000)
        near = centers[groups[span]].sum(1)
        features[span] = np.maximum(near + 3 * rng.standard_normal(near.shape), 0)
    np.save(folder / "labels.npy", np.eye(_CLASSES, dtype=np.uint8)[groups].max(1))


def _line(folder: Path, name: str) -> str:
    warnings.simplefilter("ignore")
    features, labels = np.load(folder / "features.npy"), np.load(folder / "labels.npy")
    with initialize_config_dir(str(_CONF), version_base="1.3"):
        config = compose("train", [f"method={name}", f"names.method={name}", "names.data=digits", f"bits={_BITS}"])
    estimator = instantiate(config.estimator)
    few = _seconds(estimator, features[:_FEW], labels[:_FEW])
    times: list[float] = []
    memory = extra_memory(lambda: times.append(_seconds(estimator, features, labels)))
    rows = np.array(features[:_ENCODED])
    start = time.process_time()
    estimator.transform(rows)
    speed = len(rows) / (time.process_time() - start)
    return f"| {name} | {few:.1f} s | {times[0]:.1f} s | {times[0] / few:.1f} | {memory:.0f} MB | {speed:,.0f} |"


def _seconds(estimator: Any, features: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    start = time.process_time()
    estimator.fit(features, labels)
    return time.process_time() - start


if __name__ == "__main__":
    main()
