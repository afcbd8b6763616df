from typing import Any

from rich.console import Console
from rich.table import Table

from softhash.report.tables import result_table, summary, summary_table


def result(method: str = "idhn", seed: int = 0, value: float = 0.5) -> dict[str, Any]:
    measure = {"expected": value, "worst": value - 0.1, "best": value + 0.1}
    return {
        "method": method,
        "data": "digits",
        "bits": 32,
        "seed": seed,
        "protocol": {"checksum": "x", "counts": {"query": 5, "database": 7}},
        "rows": {method: {"mAP": measure}, "lsh": {"mAP": measure}, "random": {"mAP": measure}},
    }


def printed(table: Table, width: int = 100) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table)
    return console.export_text()


def test_a_result_has_its_range_over_ties_and_what_it_is_compared_with() -> None:
    text = printed(result_table(result()), width=80)

    for part in ("0.5000", "0.400 to 0.600", "idhn", "LSH", "chance", "5 queries against 7 images"):
        assert part in text


def test_seeds_are_averaged_with_their_standard_deviation() -> None:
    (line,) = summary([result(seed=0, value=0.5), result(seed=1, value=0.7)])

    # The sample standard deviation of 0.5 and 0.7 is sqrt(0.02).
    assert line == {
        "data": "digits",
        "method": "idhn",
        "bits": 32,
        "seeds": 2,
        "measures": {"mAP": "0.6000 ± 0.1414"},
    }


def test_methods_have_a_line_each() -> None:
    text = printed(summary_table([result("idhn", value=0.5), result("dhn", value=0.25)]))

    assert "0.5000" in text
    assert "0.2500" in text
    assert text.index("dhn") < text.index("idhn")
