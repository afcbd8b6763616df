import numpy as np
import pytest
import torch

from softhash.functional.codes import pack, unpack
from softhash.functional.hamming import hamming_distance
from softhash.ranking.relevance import LabelRelevance
from softhash.report.figures.confusion import FIGURE, confusion
from softhash.runs.folder import Run
from softhash.types import Codes


def codes_of(query: torch.Tensor, database: torch.Tensor, bits: int) -> Codes:
    return Codes(query, database, bits, torch.empty(0, bits))


def far(counts: list[int], bits: int = 16) -> torch.Tensor:
    """Codes with as many ones."""
    return pack(torch.tensor([[1.0] * count + [-1.0] * (bits - count) for count in counts]))


def test_shares_are_those_of_a_count_by_hand() -> None:
    queries = np.array([[1, 0, 0], [1, 0, 1]], dtype=bool)
    items = np.array([[0, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]], dtype=bool)  # from near to far

    found, chance, numbers = confusion(codes_of(far([0, 0]), far([1, 2, 3, 4]), 16), queries, items, first=3)

    # Label 1 in place of 0: of both queries, items 0 and 2 of the first three; of the database, two of four.
    assert (found[0, 1], chance[0, 1], numbers[0, 1]) == (pytest.approx(2 / 3), 0.5, 2)
    # 2 in place of 0: the second query has 2 itself; of the first one, item 2.
    assert (found[0, 2], chance[0, 2], numbers[0, 2]) == (pytest.approx(1 / 3), 0.25, 1)
    # 1 in place of 2: of the second query, items 0 and 1, which lack 2.
    assert (found[2, 1], chance[2, 1], numbers[2, 1]) == (pytest.approx(2 / 3), 0.5, 1)
    assert np.isnan(found[1]).all()  # no query has it
    assert np.isnan(found[2, 0])  # nor this without the other
    assert np.isnan(found.diagonal()).all()


def test_shares_are_those_of_slow_loops() -> None:
    rng = np.random.default_rng(0)
    queries, items = rng.random((9, 4)) < 0.5, rng.random((16, 4)) < 0.4
    codes = codes_of(far([0] * 9), far(rng.permutation(17)[:16].tolist()), 16)  # all distances differ

    found, chance, numbers = confusion(codes, queries, items, first=5)

    order = hamming_distance(codes.query[:1], codes.database)[0].argsort()[:5].tolist()
    for a in range(4):
        for b in range(4):
            rows = [row for row in range(9) if queries[row, a] and not queries[row, b]]
            shares = [sum(items[i, b] and not items[i, a] for i in order) / 5 for _ in rows]
            assert numbers[a, b] == len(rows)
            assert chance[a, b] == sum(row[b] and not row[a] for row in items) / 16
            assert found[a, b] == pytest.approx(np.mean(shares) if rows else np.nan, nan_ok=True)


def test_where_all_are_equally_far_the_order_of_the_database_does_not_matter() -> None:
    labels = np.repeat(np.eye(2, dtype=bool), 500, axis=0)  # grouped by label
    codes = codes_of(far([0] * 2), far([3] * 1000), 16)

    found, chance, _ = confusion(codes, np.eye(2, dtype=bool), labels, first=100)

    assert found[0, 1] == pytest.approx(0.5, abs=0.15)
    assert found[0, 1] + found[1, 0] == pytest.approx(1)
    assert chance[0, 1] == 0.5


def test_tables_of_hamming_similarity_give_what_codes_give() -> None:
    rng = np.random.default_rng(1)
    queries, items = rng.random((5, 3)) < 0.5, rng.random((9, 3)) < 0.5
    codes = codes_of(far([0] * 5, 8), far(list(range(9)), 8), 8)
    every = pack(unpack(torch.arange(256, dtype=torch.uint8)[:, None], 8).float() - 0.5)
    tables = codes._replace(query=-hamming_distance(codes.query, every).float()[:, None])

    by_tables, by_codes = (confusion(one, queries, items, first=4)[0] for one in (tables, codes))

    np.testing.assert_array_equal(by_tables, by_codes)


def test_of_a_large_set_some_queries_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softhash.report.figures.confusion._PAIRS", 3 * 16)
    queries, items = np.tile([[1, 0]], (12, 1)).astype(bool), np.tile([[0, 1]], (16, 1)).astype(bool)

    found, _, numbers = confusion(codes_of(far([0] * 12), far([1] * 16), 16), queries, items, first=4)

    assert (found[0, 1], numbers[0, 1]) == (1, 3)


def test_pairs_of_labels_are_named_and_the_most_frequent_confusion_comes_first(run: Run) -> None:
    drawing = FIGURE.draw(run)

    rows = list(drawing.rows)
    assert {row[:2] for row in rows} == {(a, b) for a in NAMES for b in NAMES if a != b}
    most = max(rows, key=lambda row: row[3])
    bars = drawing.figure.axes[1]
    assert bars.get_yticklabels()[0].get_text() == f"{most[1]} for {most[0]}"
    assert bars.patches[0].get_width() == pytest.approx(most[3])


NAMES = ["cat", "<b>dog</b>", "tree"]


@pytest.mark.parametrize(
    ("queries", "why"),
    [
        ([0, 0, 0], "the queries have fewer than two labels"),
        ([1, 0, 0], "the queries have fewer than two labels"),
        ([1, 1, 1], "no query has one label and lacks another"),
    ],
)
def test_nothing_is_drawn_where_nothing_can_be_confused(run: Run, queries: list[int], why: str) -> None:
    labels = torch.tensor([queries] * 20, dtype=torch.uint8)
    run.write_relevance(LabelRelevance(labels, torch.ones(60, 3, dtype=torch.uint8), NAMES), *run.ids())

    assert FIGURE.draw(run) == why
