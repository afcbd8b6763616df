from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from softhash.config import root
from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.tasks import encode, export

Make = Callable[..., Run]


def call(verb: str, **values: object) -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = compose(verb, [f"{key}='{value}'" for key, value in values.items()])
    {"encode": encode, "export": export}[verb].run(config)


@pytest.mark.slow
def test_an_exported_run_encodes_photos_to_the_same_codes(
    untrained: Make, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = untrained("method=itq")

    call("export", run=run.folder, format="pt2", images=photos)

    for runtime in ("torch", "pt2"):
        call("encode", run=run.folder, images=photos, out=tmp_path / runtime, runtime=runtime)
    first, second = (Collection.read(tmp_path / runtime) for runtime in ("torch", "pt2"))
    np.testing.assert_array_equal(first.codes, second.codes)
    assert first.bits == second.bits == 12
    printed = capsys.readouterr().out
    assert "All bits of 42 images are equal" in printed
    assert f"{run.exported('.pt2')}: " in printed
    with pytest.raises(ValueError, match=r"encoder.pt2 is there already"):
        call("export", run=run.folder, format="pt2")


@pytest.mark.slow
def test_codes_of_a_database_alone_are_exported_where_queries_have_tables(
    untrained: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("export", run=untrained("method=dqn", "bits=16").folder, format="pt2", out=tmp_path / "dqn.pt2")

    assert "Its codes are those of a database; queries have tables" in capsys.readouterr().out


def test_pictures_to_compare_are_those_of_the_gallery_and_noise(untrained: Make) -> None:
    run = untrained()
    gallery = np.random.default_rng(0).integers(256, size=(2, 3, 3, 30, 30), dtype=np.uint8)
    run.write_gallery(query_images=gallery[:, 0], neighbour_images=gallery)

    images = export.pictures(run, run.preprocessing())

    assert images.shape == (2 + 6 + 64, 3, 16, 16)
    torch.testing.assert_close(images[2:3], run.preprocessing()(torch.from_numpy(gallery[0, 0])))


def test_a_file_of_another_ending_is_refused(untrained: Make, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"out=.*encoder.pt should end in .onnx, as format=onnx"):
        call("export", run=untrained().folder, out=tmp_path / "encoder.pt")
