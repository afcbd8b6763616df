import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from softhash.data.base import TensorSplit
from softhash.functional.codes import pack, unpack
from softhash.functional.hamming import hamming_distance
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance
from softhash.report.figures.gallery import FIGURE, tiles, write_gallery
from softhash.runs.folder import Run


def images(count: int) -> TensorSplit:
    """Images whose every pixel is their row."""
    pixels = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 8, 8)
    names = np.array([f"i{row}" for row in range(count)])
    return TensorSplit(names, torch.ones(count, 1, dtype=torch.uint8), np.arange(count), pixels, torch.nn.Identity())


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


def test_queries_are_spread_over_the_set_and_find_the_nearest_images(run: Run) -> None:
    write_gallery(run, images(20), images(60))

    gallery, codes = run.gallery(), run.codes("mine")
    assert gallery["query_rows"].tolist() == [0, 2, 5, 8, 10, 13, 16, 19]
    for query, rows, distances in zip(
        gallery["query_rows"], gallery["neighbour_rows"], gallery["distances"], strict=True
    ):
        bits = unpack(codes.query[query : query + 1], 8) != unpack(codes.database, 8)
        expected = sorted((int(distance), row) for row, distance in enumerate(bits.sum(1)))[:10]
        assert list(zip(distances.tolist(), rows.tolist(), strict=True)) == expected
    assert gallery["neighbour_images"][3, 4].max() == gallery["neighbour_rows"][3, 4]


def test_tables_of_hamming_similarity_find_what_codes_find(run: Run) -> None:
    codes = run.codes("mine")
    every = pack(unpack(torch.arange(256, dtype=torch.uint8)[:, None], 8).float() - 0.5)
    tables = -hamming_distance(codes.query, every).float()[:, None]
    write_gallery(run, images(20), images(60))
    by_codes = run.gallery()

    run.write_codes("mine", codes._replace(query=tables))
    write_gallery(run, images(20), images(60))

    np.testing.assert_array_equal(run.gallery()["neighbour_rows"], by_codes["neighbour_rows"])
    np.testing.assert_array_equal(run.gallery()["distances"], by_codes["distances"])
    assert tiles(run)[0][1].title == f"score {-by_codes['distances'][0, 0]:.2f}"


def test_the_picture_names_labels_and_colours_those_that_are_shared(shown: Run) -> None:
    (axes,) = FIGURE.draw(shown).axes
    texts = sorted(axes.texts, key=lambda text: text.get_position())  # tile by tile from the left, each from the top

    names = [text.get_text() for text in texts]
    cat, near, far = (to_rgb(texts[place].get_color()) for place in (4, 5, 7))

    assert names == ["query", "cat", "<b>dog</b>", "1 bit", "cat", "100$ \\bad $", "2 bits", "100$ \\bad $"]
    assert cat != near
    assert near == far


def test_tiles_say_what_is_shared_and_what_is_missed(shown: Run) -> None:
    ((query, near, far),) = tiles(shown)

    assert (query.shared, query.others, query.role) == (["cat", "<b>dog</b>"], [], "query")
    assert (near.shared, near.others, near.role) == (["cat"], ["100$ \\bad $"], "hit")
    assert (far.shared, far.others, far.role) == ([], ["100$ \\bad $"], "miss")


def test_names_are_escaped_on_the_page(shown: Run) -> None:
    page = FIGURE.html(shown)

    assert "<b>&lt;b&gt;dog&lt;/b&gt;</b>" in page
    assert "<b>dog" not in page


def test_where_there_are_no_labels_tiles_say_how_similar_images_are(shown: Run) -> None:
    grades = np.zeros((20, 60), dtype=np.float32)
    grades[0, 1] = 0.25
    shown.write_relevance(MatrixRelevance(grades), np.array(["x"] * 20), np.array(["y"] * 60))

    ((query, near, far),) = tiles(shown)

    assert [(tile.title, tile.role, tile.shared) for tile in (query, near, far)] == [
        ("query", "query", []), ("1 bit, 0.25", "hit", []), ("2 bits, 0.00", "miss", []),
    ]  # fmt: skip


def test_nothing_is_drawn_without_a_gallery(run: Run) -> None:
    assert FIGURE.draw(run) is None
