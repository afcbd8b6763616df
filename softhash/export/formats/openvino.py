"""OpenVINO, the fastest on processors of Intel: ``.xml`` with the graph, ``.bin`` with weights. Needs ``export``."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from softhash.encoding.shards import Encode

SUFFIX = ".xml"

_ABOUT = "softhash"


def write(program: ExportedProgram, about: Mapping[str, str], path: Path) -> None:
    """Write a graph with weights in float32."""
    import openvino  # noqa: PLC0415 - an extra

    model = openvino.convert_model(program)
    model.set_rt_info(json.dumps(dict(about)), [_ABOUT])
    openvino.save_model(model, path, compress_to_fp16=False)


def load(path: Path) -> tuple[Encode, dict[str, str]]:
    """The graph as a function on images, in float32, and what is said of it."""
    import openvino  # noqa: PLC0415 - an extra

    model = openvino.Core().read_model(path)
    about = json.loads(model.get_rt_info([_ABOUT]).astype(str))
    threads = torch.get_num_threads()
    # Where the processor multiplies bfloat16, OpenVINO would take that, which flips bits.
    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(model, "CPU", exact)

    def encode(images: Tensor) -> Tensor:
        return torch.from_numpy(compiled(images.numpy())[0].copy())

    return encode, about
