"""What the commands do with the run of a classical method, whose queries may be tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from softhash.config import root
from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.search.index import Index
from softhash.tasks import encode, export, index, search

Make = Callable[..., Run]


def call(verb: Any, *overrides: str, **values: object) -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = compose(verb.__name__.rpartition(".")[2], [*overrides, *(f"{k}='{v}'" for k, v in values.items())])
    verb.run(config)


def distances(run: Run, photo: Path, photos: Path) -> dict[str, float]:
    """Of a photo to others by name, from the definition of the run's method."""
    encoder: Any = run.encoder()
    estimator, prepare = encoder.head.estimator, run.preprocessing()
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    items, query = (
        encoder.features(prepare(*paths)).detach().numpy().astype(np.float64)
        for paths in ([photos / name for name in names], [photo])
    )
    if type(estimator).__name__ == "PQ":
        blocks = zip(np.split(items, estimator.starts_[1:-1], axis=1), estimator.centers_, strict=True)
        nearest = [
            centers[((block[:, None] - centers[None, :, : block.shape[1]]) ** 2).sum(2).argmin(1), : block.shape[1]]
            for block, centers in blocks
        ]
        values = ((np.hstack(nearest) - query) ** 2).sum(1)
    elif type(estimator).__name__ == "E2LSH":
        cells = [np.floor(estimator.places(rows)) % 2**estimator.bits_per_hash for rows in (items, query)]
        values = -(cells[0] == cells[1]).sum(1)
    else:
        bits = [estimator.transform(rows) > 0 for rows in (items, query)]
        values = (bits[0] != bits[1]).sum(1)
    return dict(zip(names, values.tolist(), strict=True))


@pytest.mark.parametrize(
    "method", [["method=itq"], ["method=pq", "bits=16"], ["method=e2lsh", "bits=16", "estimator.bits_per_hash=4"]]
)
def test_photos_are_encoded_indexed_and_found(
    method: list[str], untrained: Make, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, photo = untrained(*method), next(photos.rglob("*.jpg"))

    call(encode, run=run.folder, images=photos, out=tmp_path / "codes")
    call(index, codes=tmp_path / "codes", out=tmp_path / "index")
    call(search, run=run.folder, index=tmp_path / "index", image=photo)

    encoder = run.encoder()
    (found,) = Index.open(tmp_path / "index").search(encoder(run.preprocessing()(photo)).query, top_k=20)
    expected = distances(run, photo, photos)
    np.testing.assert_allclose([expected[name] for name in found.names], sorted(expected.values())[:20], rtol=1e-4)
    assert len(set(expected.values())) > 1
    printed = capsys.readouterr().out
    assert all(name in printed for name in found.names)
    assert Collection.read(tmp_path / "codes").bits == encoder.bits


def test_an_engine_that_has_hamming_distance_alone_refuses_tables_by_name(
    untrained: Make, photos: Path, tmp_path: Path
) -> None:
    run = untrained("method=pq", "bits=8")
    call(encode, run=run.folder, images=photos, out=tmp_path / "codes")
    call(index, "engine=faiss", codes=tmp_path / "codes", out=tmp_path / "index")

    with pytest.raises(ValueError, match=r"engine=faiss has Hamming distance alone"):
        call(search, run=run.folder, index=tmp_path / "index", image=next(photos.rglob("*.jpg")))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ksh", "agh"])
def test_a_method_that_computes_with_more_than_tensors_is_not_exported_and_named(method: str, untrained: Make) -> None:
    run = untrained(f"method={method}", "++estimator.num_anchors=60")

    with pytest.raises(
        ValueError, match=rf"an encoder with {method.upper()} cannot be exported: .*\n.*softhash encode"
    ):
        call(export, run=run.folder, format="pt2")

    assert not run.exported(".pt2").exists()
