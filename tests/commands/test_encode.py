import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from softhash.runs.folder import Run
from softhash.search.collection import Collection

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


def test_two_processes_encode_what_one_would(
    untrained: Callable[..., Run], photos: Path, tmp_path: Path, softhash: Softhash
) -> None:
    run, images = untrained(), sorted(photos.rglob("*.jpg"))
    images[20].write_bytes(b"")

    given = [f"run={run.folder}", f"images={photos}", "out=codes"]
    result = softhash(tmp_path, "encode", *given, "devices=2", "accelerator=cpu", "batch_size=5")

    readable = [image for image in images if image != images[20]]
    collection = Collection.read(tmp_path / "codes")
    assert list(collection.names) == [image.relative_to(photos).as_posix() for image in readable]
    expected = run.encoder()(run.preprocessing()(*readable)).database
    assert torch.equal(torch.from_numpy(collection.codes), expected)
    assert "41 codes of 12 bits: codes" in result.stdout
    assert "1 photos could not be read: codes.unreadable.csv" in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes", "codes.unreadable.csv", "photos", "untrained"]
