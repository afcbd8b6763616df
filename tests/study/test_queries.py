import base64
from collections.abc import Callable

import numpy as np
import pytest

from softhash.runs.folder import Run
from softhash.study import queries
from softhash.study.collect import Choice, collect
from softhash.study.queries import comparison

WriteRun = Callable[..., Run]


def write_gallery(run: Run, row: int, shade: int) -> None:
    """One query and its two nearest images, of one colour each."""
    images = np.full((3, 3, 8, 8), shade, dtype=np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None, None]
    run.write_gallery(
        query_rows=np.array([row]),
        neighbour_rows=np.array([[1, 2]]),
        query_images=images[:1],
        neighbour_images=images[None, 1:],
        distances=np.array([[0, 3]]),
    )


def decoded(stored: dict) -> list[float]:
    steps = np.frombuffer(base64.b64decode(stored["steps"]), dtype="<u2").astype(float)
    return np.where(steps > 65534, np.nan, steps / 65534 * stored["largest"]).tolist()


def test_scores_are_means_over_seeds_of_each_query(write_run: WriteRun, runs: str) -> None:
    write_run("idhn", 0, [0.5, 0.25, np.nan])
    write_run("idhn", 1, [1.0, 0.25, np.nan])

    content = comparison(collect([runs], Choice()))

    values = decoded(content["scores"]["toy, 16 bits"]["idhn"]["mAP"])
    assert values == pytest.approx([0.75, 0.25, np.nan], abs=1e-4, nan_ok=True)
    assert content["queries"]["toy"][0] == {"id": "toy-q0", "labels": "cat"}
    assert content["queries"]["toy"][1]["labels"] == "cat, dog"


def test_pictures_are_those_of_the_galleries_each_once(write_run: WriteRun, runs: str) -> None:
    for method in ("idhn", "dhn"):
        write_gallery(write_run(method), row=1, shade=10)

    content = comparison(collect([runs], Choice()))

    assert len(content["pictures"]) == 3
    assert content["queries"]["toy"][1]["picture"] == 0
    assert "picture" not in content["queries"]["toy"][0]
    finds = content["finds"]["toy, 16 bits"]
    assert set(finds) == {"idhn", "dhn"}
    assert [(one["title"], one["hit"]) for one in finds["idhn"]["1"]] == [("0 bits", True), ("3 bits", True)]


@pytest.mark.parametrize("damage", [b"no zip", None])
def test_without_a_readable_gallery_there_are_no_pictures(write_run: WriteRun, runs: str, damage: bytes | None) -> None:
    run = write_run("idhn")
    if damage:
        (run.folder / "gallery.npz").write_bytes(damage)

    content = comparison(collect([runs], Choice()))

    assert content["pictures"] == []
    assert content["finds"] == {}


def test_a_gallery_of_other_shapes_is_left_out(write_run: WriteRun, runs: str) -> None:
    run = write_run("idhn")
    write_gallery(run, row=1, shade=10)
    run.write_gallery(**{**run.gallery(), "query_images": np.zeros(5)})

    assert comparison(collect([runs], Choice()))["finds"] == {}


def test_where_seeds_have_queries_of_their_own_each_says_of_which(write_run: WriteRun, runs: str) -> None:
    for seed in (0, 1):
        run = write_run("idhn", seed, [0.5, 0.25], checksum=f"of {seed}")
        run.write_relevance(run.relevance, np.array([f"a{seed}", f"b{seed}"]), run.ids()[1])

    content = comparison(collect([runs], Choice()))

    assert [(query["id"], query["seed"]) for query in content["queries"]["toy"]] == [
        ("a0", 0), ("b0", 0), ("a1", 1), ("b1", 1),
    ]  # fmt: skip


def test_what_would_make_the_page_too_large_is_left_out(
    write_run: WriteRun, runs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gallery(write_run("idhn", values={"mAP": [0.5] * 6, "WAP": [0.5] * 6}), row=1, shade=10)
    study = collect([runs], Choice())
    monkeypatch.setattr(queries, "_SCORES", 10)
    monkeypatch.setattr(queries, "_PICTURES", 10)

    content = comparison(study)

    assert content["metrics"] == ["mAP"]
    assert content["pictures"] == []
    assert content["queries"]["toy"][1]["picture"] is None
