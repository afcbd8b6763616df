"""Speed of encoding by runtime, as ratios against PyTorch in the same run.

``python -m benchmarks.encoding`` prints a Markdown table and fails below the goals. Networks have random weights,
images are noise of 224 pixels; the graphs are those of ``softhash export``, so their bits are equal to the encoder's.
Ratios are medians over rounds in which both sides encode the same batch one after the other, in one thread, by
processor time.
"""

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from softhash.backbones.efficientnet_lite0 import EfficientNetLite0
from softhash.backbones.torchvision import TorchvisionBackbone
from softhash.encoding.shards import Encode
from softhash.export.export import export, format_named, load
from softhash.hashers.encoder import Encoder
from softhash.heads.projection import Projection

_ROUNDS, _BATCH, _BITS = 5, 32, 48
_NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "ResNet-18": partial(TorchvisionBackbone, "resnet18", "fc", None, frozen=True),
    "EfficientNet-Lite0": partial(EfficientNetLite0, pretrained=False, frozen=True),
}
_GOALS = {("EfficientNet-Lite0", "onnx"): 2.0, ("EfficientNet-Lite0", "openvino"): 2.0}


def main() -> None:
    """Measure everything, and fail where a goal is missed."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")  # of converters, about themselves
    print(f"torch {torch.__version__}, one thread, batches of {_BATCH}, {_BITS} bits\n")
    print("| network | runtime | images/s | PyTorch | ratio | goal |\n| --- | --- | ---: | ---: | ---: | ---: |")
    missed = []
    images = torch.randint(256, (_BATCH, 3, 224, 224), dtype=torch.uint8)
    for network, make in _NETWORKS.items():
        encoder = Encoder(_BITS, make(), partial(Projection, bits=_BITS)).eval()
        for name in ("onnx", "openvino", "pt2"):
            theirs, ours, ratio = compared(encoder, exported(encoder, name, images), images)
            goal = _GOALS.get((network, name), 0.0)
            print(f"| {network} | {name} | {ours:,.1f} | {theirs:,.1f} | {ratio:.1f} | {goal or ''} |", flush=True)
            missed += [f"{network} with {name}"] if ratio < goal else []
    sys.exit(f"below the goal: {', '.join(missed)}" if missed else None)


def exported(encoder: Encoder, name: str, images: Tensor) -> Encode:
    """The graph of an encoder, from its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"encoder{format_named(name).SUFFIX}"
        export(encoder, name, {"checkpoint": "none"}, images, path)
        return load(name, path, "none")[0]


def compared(encoder: Encoder, graph: Encode, images: Tensor) -> tuple[float, float, float]:
    """Medians of images per second of the encoder and of the graph, and of their ratio, after a round to warm up."""
    rounds = [(rate(lambda batch: encoder(batch).database, images), rate(graph, images)) for _ in range(_ROUNDS + 1)][
        1:
    ]
    theirs, ours = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    return theirs, ours, statistics.median(other / one for one, other in rounds)


def rate(encode: Encode, images: Tensor) -> float:
    """Images per second of processor time."""
    start = time.process_time()
    encode(images)
    return len(images) / (time.process_time() - start)


if __name__ == "__main__":
    main()
