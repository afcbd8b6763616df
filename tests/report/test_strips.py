from collections.abc import Callable

import numpy as np
import pytest
import torch

from softhash.data.base import Split
from softhash.functional.codes import pack, unpack
from softhash.functional.hamming import hamming_distance
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance
from softhash.report.drawing import BLUE, GREY, INK, ORANGE
from softhash.report.strips import Tile, below, draw_strips, keep_pictures, numbers, strips_html, tiles
from softhash.runs.folder import Run

MakeSplit = Callable[[int], Split]


@pytest.fixture
def shown(run: Run) -> Run:
    """A run with a gallery of one query and two images that it finds."""
    query, database = torch.zeros(20, 3, dtype=torch.uint8), torch.zeros(60, 3, dtype=torch.uint8)
    query[0], database[1], database[2] = torch.tensor([1, 1, 0]), torch.tensor([1, 0, 1]), torch.tensor([0, 0, 1])
    ids = np.array(["x"] * 20), np.array(["y"] * 60)
    run.write_relevance(LabelRelevance(query, database, ["cat", "<b>dog</b>", "100$ \\bad $"]), *ids)
    run.write_gallery(
        query_rows=np.array([0]),
        neighbour_rows=np.array([[1, 2]]),
        query_images=np.zeros((1, 3, 8, 8), dtype=np.uint8),
        neighbour_images=np.zeros((1, 2, 3, 8, 8), dtype=np.uint8),
        distances=np.array([[1, 2]]),
    )
    return run


def test_the_nearest_images_are_kept_with_their_distances(run: Run, split: MakeSplit) -> None:
    keep_pictures(run, "gallery", np.array([3, 19]), split(20), split(60))

    gallery, codes = run.gallery(), run.codes("mine")
    assert gallery["query_rows"].tolist() == [3, 19]
    for query, rows, distances in zip(
        gallery["query_rows"], gallery["neighbour_rows"], gallery["distances"], strict=True
    ):
        bits = unpack(codes.query[query : query + 1], 8) != unpack(codes.database, 8)
        expected = sorted((int(distance), row) for row, distance in enumerate(bits.sum(1)))[:10]
        assert list(zip(distances.tolist(), rows.tolist(), strict=True)) == expected
    assert gallery["query_images"][1].max() == 19
    assert gallery["neighbour_images"][1, 4].max() == gallery["neighbour_rows"][1, 4]


def test_tables_of_hamming_similarity_find_what_codes_find(run: Run, split: MakeSplit) -> None:
    codes = run.codes("mine")
    every = pack(unpack(torch.arange(256, dtype=torch.uint8)[:, None], 8).float() - 0.5)
    tables = -hamming_distance(codes.query, every).float()[:, None]
    keep_pictures(run, "gallery", np.array([0, 7]), split(20), split(60))
    by_codes = run.gallery()

    run.write_codes("mine", codes._replace(query=tables))
    keep_pictures(run, "gallery", np.array([0, 7]), split(20), split(60))

    np.testing.assert_array_equal(run.gallery()["neighbour_rows"], by_codes["neighbour_rows"])
    np.testing.assert_array_equal(run.gallery()["distances"], by_codes["distances"])
    assert tiles(run)[0][1].title == f"score {-by_codes['distances'][0, 0]:.2f}"


def test_below_an_image_stand_its_labels_in_the_colour_of_what_they_mean() -> None:
    image = np.zeros((3, 8, 8), dtype=np.uint8)

    assert below(Tile(image, "1 bit", ["a"], ["b", "c", "d"], "hit")) == [
        ("a", BLUE), ("b", GREY), ("c", GREY), ("d", GREY),
    ]  # fmt: skip
    assert below(Tile(image, "1 bit", ["a", "b"], ["c", "d", "e", "f"], "hit"))[2:] == [("c", GREY), ("d +2", GREY)]
    assert below(Tile(image, "query", ["a"], [], "query")) == [("a", INK)]
    assert below(Tile(image, "9 bits", [], [], "miss")) == []


def test_every_image_stands_in_a_frame_of_its_colour() -> None:
    white = np.full((3, 8, 8), 255, dtype=np.uint8)
    line = [Tile(white, "", [], [], role) for role in ("query", "hit", "miss")]

    sheet = draw_strips([line], ["A heading."])

    colours = {f"#{red:02x}{green:02x}{blue:02x}".upper() for _, (red, green, blue) in sheet.getcolors(1 << 16)}
    assert {BLUE, ORANGE, INK.upper()} <= colours


def test_the_numbers_are_what_stands_on_the_tiles(shown: Run) -> None:
    assert list(numbers(shown)) == [
        ["x", "cat, <b>dog</b>", 1, "y", 1, "cat", "100$ \\bad $", "1"],
        ["x", "cat, <b>dog</b>", 2, "y", 2, "", "100$ \\bad $", "0"],
    ]


def test_tiles_say_what_is_shared_and_what_is_missed(shown: Run) -> None:
    ((query, near, far),) = tiles(shown)

    assert (query.shared, query.others, query.role) == (["cat", "<b>dog</b>"], [], "query")
    assert (near.shared, near.others, near.role) == (["cat"], ["100$ \\bad $"], "hit")
    assert (far.shared, far.others, far.role) == ([], ["100$ \\bad $"], "miss")


def test_names_are_escaped_on_the_page(shown: Run) -> None:
    page = strips_html(tiles(shown), ["<i>heading"])

    assert "<b>&lt;b&gt;dog&lt;/b&gt;</b>" in page
    assert "<b>dog" not in page
    assert "<i>" not in page


def test_where_there_are_no_labels_tiles_say_how_similar_images_are(shown: Run) -> None:
    grades = np.zeros((20, 60), dtype=np.float32)
    grades[0, 1] = 0.25
    shown.write_relevance(MatrixRelevance(grades), np.array(["x"] * 20), np.array(["y"] * 60))

    ((query, near, far),) = tiles(shown)

    assert [(tile.title, tile.role, tile.shared) for tile in (query, near, far)] == [
        ("query", "query", []), ("1 bit, 0.25", "hit", []), ("2 bits, 0.00", "miss", []),
    ]  # fmt: skip
