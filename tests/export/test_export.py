import io
import os
import pickle
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from softhash.export import export as module
from softhash.export.export import compare, export, format_named, load
from softhash.hashers.encoder import Encoder
from softhash.runs.folder import Run

ABOUT = {"run": "mine", "checkpoint": "abc", "bits": "12"}
PACKAGE = {"onnx": "onnxruntime", "openvino": "openvino", "pt2": "torch"}


def images(count: int, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, 16, 16), dtype=torch.uint8, generator=rng)


@pytest.fixture
def encoder(untrained: Callable[..., Run]) -> Encoder:
    made: Encoder = untrained().encoder()  # type: ignore[assignment]
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PACKAGE))
def test_a_file_gives_the_bits_of_the_encoder_for_any_number_of_images(
    name: str, encoder: Encoder, tmp_path: Path
) -> None:
    pytest.importorskip(PACKAGE[name])
    path = tmp_path / "exported" / f"encoder{format_named(name).SUFFIX}"

    found = export(encoder, name, ABOUT, images(9), path)

    graph, about = load(name, path, checkpoint="abc")
    for count in (1, 2, 7, 130):
        codes, batch = encoder(images(count, seed=1)), images(count, seed=1)
        assert torch.equal(graph(batch), codes.database)
    assert len(torch.unique(encoder(images(130)).database, dim=0)) > 3  # so that equal says something
    assert about == ABOUT
    assert found.images == 9
    assert found.margin == encoder(images(9)).relaxed.abs().min().item()
    assert {file.suffix for file in path.parent.iterdir()} <= {path.suffix, ".bin"}
    with pytest.raises(ValueError, match=r"made of another checkpoint \(abc, not def\)"):
        load(name, path, checkpoint="def")


@pytest.mark.slow
def test_a_pt2_file_holds_no_pickle_and_one_that_does_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    path, evil = tmp_path / "encoder.pt2", tmp_path / "evil.pt2"
    export(encoder, "pt2", ABOUT, images(2), path)

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "has run"),)

    torch.save(Evil(), buffer := io.BytesIO())
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(evil, "w") as other:
        for name in whole.namelist():
            content = whole.read(name)
            assert content[:2] not in (b"PK", b"\x80\x02", b"\x80\x04"), name  # an archive of torch, or a pickle
            other.writestr(name, buffer.getvalue() if name.endswith("sample_inputs/model.pt") else content)

    with pytest.raises(ValueError, match=r"it holds a pickle"):
        load("pt2", evil, checkpoint="abc")
    assert not (tmp_path / "has run").exists()


class Fake:
    """A format whose graph is the encoder, with some bits flipped, and that fails as it is told to."""

    SUFFIX = ".fake"

    def __init__(self, encoder: Encoder, flip: int = 0, failure: Exception | None = None) -> None:
        self.encoder, self.flip, self.failure = encoder, flip, failure

    def write(self, program: object, about: object, path: Path) -> None:
        path.with_suffix(".weights").write_bytes(b"half")
        if self.failure:
            raise self.failure
        path.write_bytes(b"whole")

    def load(self, path: Path) -> tuple[Callable[[Tensor], Tensor], dict[str, str]]:
        return (lambda batch: self.encoder(batch).database ^ self.flip), {}


def test_one_bit_that_differs_leaves_no_file(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "format_named", lambda _: Fake(encoder, flip=1))

    with pytest.raises(ValueError, match=r"format=fake: 18 bits in 9 of 9 codes differ.*no file was written.*from 0"):
        export(encoder, "fake", ABOUT, images(9), tmp_path / "exported" / "encoder.fake")  # bit 0 of both bytes

    assert list((tmp_path / "exported").iterdir()) == []


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (RuntimeError("No conversion rule for aten.strange"), ValueError, "cannot hold this encoder: .*aten.strange"),
        (OSError(28, "No space left on device"), OSError, "cannot write .*encoder.fake: No space left"),
        (ModuleNotFoundError("x", name="onnxscript"), ValueError, r"needs the package onnxscript: pip install"),
    ],
)
def test_a_format_that_fails_says_why_and_leaves_nothing(
    failure: Exception, kind: type, message: str, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "format_named", lambda _: Fake(encoder, failure=failure))

    with pytest.raises(kind, match=message):
        export(encoder, "fake", ABOUT, images(2), tmp_path / "encoder.fake")

    assert not list(tmp_path.glob("*encoder*"))
    assert not list(tmp_path.glob(".export*"))


def test_both_files_of_a_format_take_their_place(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "format_named", lambda _: Fake(encoder))

    export(encoder, "fake", ABOUT, images(2), tmp_path / "encoder.fake")

    assert (tmp_path / "encoder.fake").read_bytes() == b"whole"
    assert (tmp_path / "encoder.weights").read_bytes() == b"half"


def test_an_unknown_format_names_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"no format 'onxn'; take onnx, openvino or pt2"):
        format_named("onxn")


@pytest.mark.parametrize("name", sorted(PACKAGE))
def test_a_file_that_is_missing_or_damaged_is_named(name: str, tmp_path: Path) -> None:
    pytest.importorskip(PACKAGE[name])
    path = tmp_path / f"encoder{format_named(name).SUFFIX}"

    with pytest.raises(FileNotFoundError, match=rf"softhash export run=... format={name} makes it"):
        load(name, path, checkpoint="abc")
    path.write_bytes(b"half")
    with pytest.raises(ValueError, match=rf"{path.name} cannot be read.*\n.*export the run again"):
        load(name, path, checkpoint="abc")


def test_onnx_in_a_pickle_is_no_graph(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "encoder.onnx").write_bytes(pickle.dumps({"a": 1}))

    with pytest.raises(ValueError, match=r"cannot be read"):
        load("onnx", tmp_path / "encoder.onnx", checkpoint="abc")


def test_codes_that_are_no_signs_have_no_margin(untrained: Callable[..., Run]) -> None:
    encoder: Any = untrained("method=dqn", "bits=16").encoder()

    found = compare(encoder, lambda batch: encoder(batch).database, images(70), "pt2")

    assert found.margin is None
    assert found.images == 70


def test_every_format_has_what_exporting_needs() -> None:
    for path in (Path(module.__file__).parent / "formats").glob("[a-z]*.py"):
        form = import_module(f"softhash.export.formats.{path.stem}")

        assert form.SUFFIX.startswith(".")
        assert callable(form.write)
        assert callable(form.load)


def test_an_encoder_that_a_graph_cannot_have_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    class Counting(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return torch.from_numpy(features.numpy()[:, :12].cumsum(1))

    encoder.head = Counting()

    with pytest.raises(ValueError, match=r"an encoder with Counting cannot be exported: .*\n.*runtime=torch"):
        export(encoder, "pt2", ABOUT, images(2), tmp_path / "encoder.pt2")


@pytest.mark.slow
def test_an_operator_that_onnx_lacks_is_named_and_nothing_is_written(encoder: Encoder, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")

    class Airy(nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return torch.special.airy_ai(features[:, :12])

    encoder.head = Airy()

    with pytest.raises(ValueError, match=r"format=onnx cannot hold this encoder: .*airy_ai.*\n  Take another format"):
        export(encoder, "onnx", ABOUT, images(2), tmp_path / "exported" / "encoder.onnx")
    assert list((tmp_path / "exported").iterdir()) == []
