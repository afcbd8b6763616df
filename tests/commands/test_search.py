import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softhash.runs.folder import Run
from softhash.search.collection import Collection
from softhash.search.exact import Exact
from softhash.search.index import Index, write_index

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small photos."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(folder / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="module")
def index(trained: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the photos, with labels."""
    run, folder = Run(trained), tmp_path_factory.mktemp("index") / "index"
    names = sorted(path.name for path in photos.iterdir())
    codes = run.encoder()(run.preprocessing()(*(photos / name for name in names))).database.numpy()
    labels = np.eye(12, 2, dtype=np.uint8)
    write_index(Collection(codes, names, 8, run.identity(), labels, ["cat", "dog"]), Exact(), folder)
    return folder


def test_a_photo_finds_itself_in_the_table_and_on_the_page(
    trained: Path, photos: Path, index: Path, tmp_path: Path, softhash: Softhash
) -> None:
    result = softhash(
        tmp_path,
        "search",
        f"run={trained}",
        f"index={index}",
        f"image=[{photos / '03.png'},{photos / '07.png'}]",
        "top_k=12",
        f"images={photos}",
    )

    three, seven = result.stdout.split("07.png", 1)[0], result.stdout
    assert "03.png" in three
    assert "0 bits" in three
    assert "Open search.html" in seven
    page = (tmp_path / "search.html").read_text()
    assert page.count('<div class="strip">') == 2
    assert page.count('class="hit"') == 24
    assert page.count("data:image/webp") == 26
    assert "no picture" not in page


def test_filters_and_a_radius_narrow_the_search(
    trained: Path, photos: Path, index: Path, tmp_path: Path, softhash: Softhash
) -> None:
    search = ["search", f"run={trained}", f"index={index}", f"image={photos / '01.png'}"]

    labelled = softhash(tmp_path, *search, "label=dog", "top_k=12").stdout
    near = softhash(tmp_path, *search, "radius=0").stdout
    named = softhash(tmp_path, *search, "name='0[45]*'", "top_k=12").stdout

    assert ("01.png" in labelled.split("rank")[1], "dog" in labelled, "03.png" in labelled) == (True, True, False)
    assert ("01.png" in near.split("rank")[1], "1 bit" in near) == (True, False)
    assert ("04.png" in named, "05.png" in named, "06.png" in named) == (True, True, False)


def test_an_index_of_another_run_is_refused(
    trained: Path, photos: Path, index: Path, tmp_path: Path, softhash: Softhash
) -> None:
    about = json.loads((index / "about.json").read_text())
    other = Collection.read(index)
    strange = about["encoder"] | {"run": "runs/other", "checkpoint": "0" * 64}
    write_index(Collection(other.codes, other.names, 8, strange), Exact(), tmp_path / "other")
    long = Collection(np.zeros((2, 2), dtype=np.uint8), ["a", "b"], 16, about["encoder"])
    write_index(long, Exact(), tmp_path / "long")
    search = ["search", f"run={trained}", f"image={photos / '01.png'}"]

    by_run = softhash(tmp_path, *search, f"index={tmp_path / 'other'}", code=1).stderr
    by_length = softhash(tmp_path, *search, f"index={tmp_path / 'long'}", code=1).stderr

    assert "these codes come from runs/other (idhn, checkpoint 000000000000)" in by_run
    assert "these are codes of 16 bits" in by_length
    assert "Traceback" not in by_run + by_length


def test_broken_and_missing_photos_are_named(
    trained: Path, photos: Path, index: Path, tmp_path: Path, softhash: Softhash
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes((photos / "01.png").read_bytes()[:100])
    search = ["search", f"run={trained}", f"index={index}"]

    assert f"image={broken} cannot be read" in softhash(tmp_path, *search, f"image={broken}", code=1).stderr
    assert "image=none.png does not exist" in softhash(tmp_path, *search, "image=none.png", code=1).stderr
    too_many = softhash(tmp_path, *search, f"image={photos / '01.png'}", "top_k=13", code=1).stderr
    assert "top_k must be at least 1 and at most 12, the number of images in the index, got 13" in too_many


def test_an_index_is_made_checked_grown_and_shrunk(index: Path, tmp_path: Path, softhash: Softhash) -> None:
    whole = Collection.read(index)
    whole.take(np.arange(8)).write(tmp_path / "first.npz")
    whole.take(np.arange(8, 12)).write(tmp_path / "rest")

    made = softhash(tmp_path, "index", "codes=first.npz", "out=small", "engine=faiss", "check=5").stdout
    grown = softhash(tmp_path, "index", "out=small", "add=rest").stdout
    shrunk = softhash(tmp_path, "index", "out=small", "delete=[00.png,1*]").stdout
    checked = softhash(tmp_path, "index", "out=small", "check=9").stdout

    assert "8 images, 8 bits: small\nRecall@8 of 5 of its codes: 1.0000" in made
    assert "12 images" in grown
    assert "9 images" in shrunk
    assert checked.strip() == "Recall@9 of 9 of its codes: 1.0000"
    assert list(Index.open(tmp_path / "small").collection.names) == [f"{i:02d}.png" for i in range(1, 10)]


def test_the_database_of_a_run_is_indexed_with_its_labels(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    softhash(tmp_path, "index", f"codes={trained}", "out=database")

    opened, run = Index.open(tmp_path / "database"), Run(trained)
    codes = run.codes("idhn")
    (found,) = opened.search(codes.query[:1], top_k=1)
    assert len(opened) == 160
    assert found.distances[0] == np.unpackbits((codes.query[:1] ^ codes.database).numpy(), axis=1).sum(1).min()
    assert found.labels[0] == run.relevance.describe_item(int(found.rows[0]))


def test_labels_come_from_a_table(index: Path, tmp_path: Path, softhash: Softhash) -> None:
    whole = Collection.read(index)
    Collection(whole.codes, whole.names, 8, whole.encoder).write(tmp_path / "codes")
    lines = ["path,labels", *(f"{name},tree; {'sun' if i else 'sea'}" for i, name in enumerate(whole.names))]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    (tmp_path / "few.csv").write_text("\n".join(lines[:3]))

    few = softhash(tmp_path, "index", "codes=codes", "out=index", "labels=few.csv", code=1).stderr
    softhash(tmp_path, "index", "codes=codes", "out=index", "labels=labels.csv")

    assert "has no line for 10 of 12 images: 02.png" in few
    assert Index.open(tmp_path / "index").collection.labels_of(0) == ["sea", "tree"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["out=a"], "one of codes=..., add=... and delete=... is needed, or check=... alone; got none"),
        (["out=a", "codes=b", "add=c"], "got codes and add"),
        (["out=a", "codes=missing"], "there are no codes at missing"),
        (["out=a", "delete=x"], "a is not the folder of an index"),
        (["out=a", "check=5"], "a is not the folder of an index"),
        (["out=a", "codes=b", "check=-1"], "check must be at least 0"),
        (["out=a", "codes=b", "engine=annoy"], "engine=annoy"),
    ],
)
def test_what_cannot_be_indexed_is_refused_in_one_message(
    tmp_path: Path, softhash: Softhash, arguments: list[str], message: str
) -> None:
    result = softhash(tmp_path, "index", *arguments, code=1)

    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
