"""A tiny CIFAR-10 exactly as the official archive unpacks, but for the checksums of its files."""

import pickle
from pathlib import Path

import numpy as np

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def write_cifar10(root: Path, seed: int = 0) -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Write five batches of 20 pictures and a test batch; give pictures ``(N, 3, 32, 32)`` and classes."""
    rng = np.random.default_rng(seed)
    base = root / "cifar-10-batches-py"
    base.mkdir(parents=True)
    pictures: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    targets: dict[str, list[int]] = {"train": [], "test": []}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        data = rng.integers(256, size=(20, 3072), dtype=np.uint8)
        labels = [int(label) for label in rng.permutation(20) % 10]
        (base / name).write_bytes(pickle.dumps({"data": data, "labels": labels, "batch_label": name}))
        part = "test" if name == "test_batch" else "train"
        pictures[part].append(data.reshape(-1, 3, 32, 32))
        targets[part] += labels
    (base / "batches.meta").write_bytes(pickle.dumps({"label_names": NAMES}))
    return {part: np.concatenate(found) for part, found in pictures.items()}, targets


def write_for(config: str, root: Path) -> list[str]:
    """Write the fake, and give the overrides with which the config ``data=...`` takes it.

    torchvision takes the official files alone, which it knows by their checksums; in a Python that starts with
    ``root`` among its paths, it takes these too.
    """
    del config
    write_cifar10(root)
    (root / "sitecustomize.py").write_text(
        "import torchvision.datasets.cifar\n\ntorchvision.datasets.cifar.check_integrity = lambda *arguments: True\n"
    )
    return [
        "data.num_validation=12",
        "data.protocol.query_per_class=1",
        "data.protocol.train_per_class=4",
    ]
