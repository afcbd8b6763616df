"""ONNX, for ONNX Runtime, TensorRT and others. Needs the extra ``export``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from softhash.encoding.shards import Encode

SUFFIX = ".onnx"


def write(program: ExportedProgram, about: Mapping[str, str], path: Path) -> None:
    """Write a graph with weights inside, or beside it where they have more than 2 GB."""
    converted: Any = torch.onnx.export(program, dynamo=True, verbose=False)
    converted.model.metadata_props.update(about)
    converted.save(path)


def load(path: Path) -> tuple[Encode, dict[str, str]]:
    """The graph as a function on images, run by ONNX Runtime on the processor, and what is said of it."""
    import onnxruntime  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def encode(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])

    return encode, dict(session.get_modelmeta().custom_metadata_map)
