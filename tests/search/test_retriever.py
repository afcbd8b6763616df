from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.search.exact import Exact
from softhash.search.index import write_index
from softhash.search.retriever import Retriever

NAMES = ["none", "one", "two"]


def indexed(run: Run, folder: Path, **changes: object) -> Path:
    """An index of three codes by the run: no bit, bit 0, bits 0 and 8."""
    parts = {
        "codes": np.array([[0, 0], [1, 0], [1, 1]], dtype=np.uint8),
        "names": NAMES,
        "bits": 12,
        "encoder": run.identity(),
        "labels": np.array([[1], [0], [1]], dtype=np.uint8),
        "label_names": ["even"],
    }
    write_index(Collection(**(parts | changes)), Exact(), folder)  # type: ignore[arg-type]
    return folder


def test_images_find_the_nearest_codes_or_all_within_a_radius(
    untrained: Callable[..., Run], photos: Path, tmp_path: Path
) -> None:
    run = untrained()
    retriever = Retriever(run.folder, indexed(run, tmp_path / "index"))
    images = retriever.preprocessing(*sorted(photos.rglob("*.jpg"))[:2])
    codes = np.unpackbits(retriever.encoder(images).query.numpy(), axis=1, bitorder="little")
    others = np.unpackbits(np.array([[0, 0], [1, 0], [1, 1]], dtype=np.uint8), axis=1, bitorder="little")
    expected = (codes[:, None] != others).sum(2)

    nearest = retriever.search(images, top_k=3)
    even = retriever.search(images, top_k=2, label="even")
    near = retriever.search(images, radius=int(expected[0].min()))

    for found, distances in zip(nearest, expected.tolist(), strict=True):
        assert found.distances.tolist() == sorted(distances)
        assert dict(zip(found.names, found.distances.tolist(), strict=True)) == dict(zip(NAMES, distances, strict=True))
    assert [set(found.names) for found in even] == [{"none", "two"}] * 2
    assert near[0].distances.tolist() == [expected[0].min()] * int((expected[0] == expected[0].min()).sum())


@pytest.mark.parametrize(
    "method", [["method=dqn", "bits=16"], ["method=drsch"], ["method=pq", "bits=8"]], ids=lambda method: method[0]
)
def test_a_method_with_a_distance_of_its_own_searches_by_it(
    method: list[str], untrained: Callable[..., Run], photos: Path, tmp_path: Path
) -> None:
    run = untrained(*method)
    encoder, paths = run.encoder(), sorted(photos.rglob("*.jpg"))
    images = run.preprocessing()(*paths)
    codes = encoder(images).database.numpy()
    names = [str(path.relative_to(photos)) for path in paths]
    write_index(Collection(codes, names, encoder.bits, run.identity()), Exact(), tmp_path / "index")  # type: ignore[arg-type]
    retriever = Retriever(run.folder, tmp_path / "index")
    tables = encoder(images[:3]).query.double().numpy()
    scores = sum(tables[:, byte, codes[:, byte]] for byte in range(codes.shape[1]))

    found = retriever.search(images[:3], top_k=len(paths))

    assert len(np.unique(scores)) > 2
    for each, expected in zip(found, -np.asarray(scores), strict=True):
        np.testing.assert_allclose(each.distances, np.sort(expected), rtol=1e-12)
        np.testing.assert_allclose(each.distances, expected[each.rows], rtol=1e-12)
    with pytest.raises(ValueError, match="radius counts bits, and these queries have a distance of their own"):
        retriever.search(images[:1], radius=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"encoder": {"run": "runs/other", "method": "dhn", "checkpoint": "0" * 64}},
            "these codes come from runs/other",
        ),
        ({"bits": 16}, "these are codes of 16 bits"),
    ],
)
def test_an_index_of_another_run_or_length_is_refused(
    changes: dict[str, object], message: str, untrained: Callable[..., Run], tmp_path: Path
) -> None:
    run = untrained()

    with pytest.raises(ValueError, match=message):
        Retriever(run.folder, indexed(run, tmp_path / "index", **changes))


def test_a_run_without_a_checkpoint_is_refused(untrained: Callable[..., Run], tmp_path: Path) -> None:
    run = untrained()
    index = indexed(run, tmp_path / "index")
    run.best.unlink()

    with pytest.raises(FileNotFoundError, match=r"has no best.ckpt: it has not reached the end of its first epoch"):
        Retriever(run.folder, index)
