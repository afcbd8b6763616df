"""PyTorch's own format, ``.pt2``: an archive of the graph as JSON and of weights as bytes."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from softhash.encoding.shards import Encode

SUFFIX = ".pt2"

_ABOUT = "softhash.json"
_EXAMPLE = "/data/sample_inputs/model.pt"  # the only pickle that torch writes; an empty one stands for none
_CONFIGS = ("_weights_config.json", "_constants_config.json")


def write(program: ExportedProgram, about: Mapping[str, str], path: Path) -> None:
    """Write a graph without the example that it was traced with."""
    whole = path.with_name("with_example.pt2")
    torch.export.save(program, whole, extra_files={_ABOUT: json.dumps(dict(about))})
    with zipfile.ZipFile(whole) as read, zipfile.ZipFile(path, "w") as archive:
        for member in read.infolist():
            content = b"" if member.filename.endswith(_EXAMPLE) else read.read(member)
            archive.writestr(member.filename, content)
    whole.unlink()


def load(path: Path) -> tuple[Encode, dict[str, str]]:
    """The graph as a function on images, and what is said of it.

    Raises:
        ValueError: It holds a pickle, which torch would run, or is none of ours.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            _refuse_pickles(name, archive.read(name) if name.endswith((_EXAMPLE, *_CONFIGS)) else b"")
    extra = {_ABOUT: ""}
    module = torch.export.load(path, extra_files=extra).module()

    def encode(images: Tensor) -> Tensor:
        with torch.no_grad():
            codes: Tensor = module(images)
        return codes

    return encode, json.loads(extra[_ABOUT])


def _refuse_pickles(name: str, content: bytes) -> None:
    pickled = name.endswith(_EXAMPLE) and content
    for entry in json.loads(content)["config"].values() if name.endswith(_CONFIGS) else ():
        pickled = pickled or entry["use_pickle"]
    if pickled:
        msg = f"it holds a pickle ({name}), which may do anything"
        raise ValueError(msg)
