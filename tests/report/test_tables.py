from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from softhash.report.tables import SummaryLine, result_table, summary, summary_markdown, summary_table, title
from softhash.runs.folder import Method, Record, Result


def result(method: str = "idhn", seed: int = 0, value: float = 0.5, **changes: Any) -> Result:
    value_of_method = {"expected": value, "worst": value - 0.1, "best": value + 0.1}
    baseline = {"expected": 0.125, "worst": 0.1, "best": 0.2}
    bits = changes.get("bits", 32)
    record = Record(
        method=method,
        data="digits",
        bits=bits,
        seed=seed,
        overrides=[],
        checksum="x",
        counts={"query": 5, "database": 7},
        methods=[Method(method, bits, own=True), Method("lsh", bits, own=False), Method("random", bits, own=False)],
        versions={},
        metrics=["map_all"],
        top_k=None,
    )
    scores = {method: {"mAP": value_of_method}, "lsh": {"mAP": baseline}, "random": {"mAP": baseline}}
    return Result(replace(record, **changes), scores, conventions={}, queries_without_relevant=0)


def printed(table: Table, width: int = 80) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table)
    return console.export_text()


def line_of(results: list[Result], method: str) -> SummaryLine:
    (line,) = (line for line in summary(results) if line.method == method)
    return line


def test_a_result_has_its_range_over_ties_and_what_it_is_compared_with() -> None:
    text = printed(result_table(result()))

    for part in ("0.5000", "0.400 to 0.600", "0.1250", "idhn", "LSH", "chance", "5 queries against 7 images"):
        assert part in text


def test_a_metric_that_only_one_method_has_leaves_the_others_empty() -> None:
    made = result()
    made.scores["idhn"]["NDCG"] = {"expected": 0.75, "worst": 0.7, "best": 0.8}

    (line,) = (line for line in printed(result_table(made)).splitlines() if "NDCG" in line)

    assert line.count(".") == 1
    assert "0.7500" in line


def test_names_are_not_read_as_markup() -> None:
    assert "[red]mine" in printed(result_table(result("[red]mine")))


def test_seeds_are_averaged_with_their_standard_deviation() -> None:
    line = line_of([result(seed=0, value=0.5), result(seed=1, value=0.7)], "idhn")

    assert line.cell(32) == "0.6000 ± 0.1414"  # the sample standard deviation of 0.5 and 0.7 is sqrt(0.02)
    assert line.seeds == "2"
    assert line.cell(64) == ""


def test_baselines_of_equal_seeds_count_once() -> None:
    lines = summary([result("idhn"), result("dhn"), result("dhn", seed=1)])

    assert {line.method: line.values[32] for line in lines if line.method in {"chance", "LSH (before training)"}} == {
        "LSH (before training)": {0: 0.125, 1: 0.125},
        "chance": {0: 0.125, 1: 0.125},
    }


def test_the_best_method_comes_first_and_chance_last() -> None:
    results = [result("dhn", value=0.25), result("idhn", value=0.5), result("csq", value=0.3)]

    assert [line.method for line in summary(results)][:3] == ["idhn", "csq", "dhn"]
    assert [line.method for line in summary(results)][-1] == "chance"


def test_runs_with_other_settings_are_not_seeds_of_one_method() -> None:
    results = [
        result(value=0.5, overrides=["epochs=9", "optimizer.lr=0.1"]),
        result(value=0.7, overrides=["epochs=9", "optimizer.lr=0.2"]),
    ]

    cells = {line.method: line.cell(32) for line in summary(results)}

    assert cells["idhn optimizer.lr=0.1"] == "0.5000"
    assert cells["idhn optimizer.lr=0.2"] == "0.7000"


def test_a_baseline_is_listed_by_settings_only_where_they_change_it() -> None:
    results = [result(overrides=["backbone=a"]), result(overrides=["backbone=b"])]
    results[1].scores["lsh"] = {"mAP": {"expected": 0.375, "worst": 0.3, "best": 0.4}}

    methods = [line.method for line in summary(results)]

    assert "LSH (before training) backbone=b" in methods
    assert [method for method in methods if "chance" in method] == ["chance"]


def test_code_lengths_stand_side_by_side() -> None:
    results = [result(value=0.5), result(value=0.625, bits=8), result("dhn", value=0.25)]

    text = printed(summary_table(results))

    (idhn,) = (line for line in text.splitlines() if "idhn" in line)
    (dhn,) = (line for line in text.splitlines() if " dhn" in line)
    assert idhn.index("0.6250") < idhn.index("0.5000")  # 8 bits before 32
    assert "0.2500" in dhn


def test_data_sets_are_kept_apart() -> None:
    text = printed(summary_table([result(), result(data="voc", value=0.25)]))

    lines = [line for line in text.splitlines() if "idhn" in line]
    assert ["digits" in line and "0.5000" in line for line in lines] == [True, False]
    assert "voc" in lines[1]
    assert "0.2500" in lines[1]


def test_the_summary_in_markdown() -> None:
    text = summary_markdown([result(seed=0, value=0.5), result(seed=1, value=0.7)])

    assert text.splitlines() == [
        "2 runs on digits; expected values, ± standard deviation over seeds",
        "",
        "| metric | method | seeds | 32 bits |",
        "| --- | --- | ---: | ---: |",
        "| mAP | idhn | 2 | **0.6000 ± 0.1414** |",
        "| mAP | LSH (before training) | 2 | 0.1250 ± 0.0000 |",
        "| mAP | chance | 2 | 0.1250 ± 0.0000 |",
    ]


def nested(seed: int = 0) -> Result:
    """A run that has learnt codes of two lengths."""
    made = result("nested", seed)
    methods = [Method("nested-32", 32, own=True), Method("nested-8", 8, own=True), *made.record.methods[1:]]
    values = {"nested-32": 0.5, "nested-8": 0.25}
    scores = {name: {"mAP": dict.fromkeys(("expected", "worst", "best"), value)} for name, value in values.items()}
    return replace(made, record=replace(made.record, methods=methods), scores=scores | made.scores)


def test_each_own_method_of_a_run_stands_at_its_own_length() -> None:
    results = [nested(), result("idhn", bits=8)]

    assert {line.method: line.values for line in summary(results) if line.method.startswith(("nested", "idhn"))} == {
        "nested-32": {32: {0: 0.5}},
        "nested-8": {8: {0: 0.25}},
        "idhn": {8: {0: 0.5}},
    }


def test_the_table_of_a_run_names_a_length_that_is_not_that_of_the_run() -> None:
    lines = printed(result_table(nested())).splitlines()

    assert "8 bits" in "".join(lines[2:5])
    assert "32 bits" not in "".join(lines[2:5])


def test_settings_tell_own_methods_apart_and_leave_baselines_one() -> None:
    results = [
        replace(made, record=replace(made.record, overrides=[f"loss.weight={made.record.seed}"]))
        for made in (nested(0), nested(1))
    ]

    assert {line.method for line in summary(results)} == {
        "nested-32 loss.weight=0", "nested-32 loss.weight=1", "nested-8 loss.weight=0", "nested-8 loss.weight=1",
        "LSH (before training)", "chance",
    }  # fmt: skip


def test_lsh_as_the_method_of_a_run_is_not_called_a_baseline() -> None:
    assert title(Method("lsh", 8, own=True)) == "lsh"
    assert title(Method("lsh", 8, own=False)) == "LSH (before training)"
    assert title(Method("random", 8, own=False)) == "chance"
