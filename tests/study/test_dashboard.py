import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from softhash.runs.folder import Run
from softhash.study.collect import Choice, Study, collect
from softhash.study.dashboard import send

pytest.importorskip("wandb_workspaces", reason="the extra dashboard is not installed")

WriteRun = Callable[..., Run]
WriteLog = Callable[[Run, list[dict[str, float]]], None]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is sent to a server that is not there: the variables of each request."""
    sent: list[dict[str, Any]] = []

    def execute(query: str, variables: dict[str, Any]) -> dict[str, Any]:
        sent.append({"query": query, **variables})
        project = {"id": "1", "name": variables["projectName"], "entityName": variables["entityName"]}
        view = {
            "id": "VIEW",
            "name": "n",
            "displayName": "d",
            "description": "",
            "project": project,
            "spec": variables["spec"],
        }
        return {"upsertView": {"view": view, "inserted": True}}

    api = SimpleNamespace(
        _service_api=SimpleNamespace(execute_graphql=execute),
        projects=lambda _: [SimpleNamespace(name="hashing")],
        default_entity="somebody",
        settings={"base_url": "https://api.wandb.ai"},
    )
    monkeypatch.setattr("wandb_workspaces.reports.v2.interface._get_api", lambda: api)
    monkeypatch.setattr("wandb_workspaces.reports.v2.interface.get_app_url", lambda _: "https://wandb.ai")
    monkeypatch.setattr("softhash.study.dashboard._default_entity", lambda: "somebody")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return sent


@pytest.fixture
def small(write_run: WriteRun, write_log: WriteLog, runs: str) -> Study:
    for method in ("idhn", "dhn"):
        run = write_run(method)
        write_log(run, [{"epoch": 0, "step": 3, "train/loss": 1.0, "validation/mAP": 0.5}])
    return collect([runs], Choice(names={"toy": "TOY"}))


def panels_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    (grid,) = (block for block in spec["blocks"] if block["type"] == "panel-grid")
    panels: list[dict[str, Any]] = grid["metadata"]["panelBankSectionConfig"]["panels"]
    return panels


def test_the_request_holds_table_curves_bars_and_galleries(small: Study, requests: list[dict], tmp_path: Path) -> None:
    address = send(small, "| the table |", "hashing", None, tmp_path)

    (request,) = requests
    assert "mutation upsertView" in request["query"]
    assert (request["entityName"], request["projectName"], request["type"]) == ("somebody", "hashing", "runs")
    assert address == "https://wandb.ai/somebody/hashing/reports/TOY:-4-methods--VIEW"
    spec = json.loads(request["spec"])
    assert [block["content"] for block in spec["blocks"] if block["type"] == "markdown-block"] == ["| the table |"]
    line, validation, bars, media = panels_of(spec)
    assert [line["config"]["metrics"], validation["config"]["metrics"]] == [["train/loss"], ["validation/mAP"]]
    assert validation["config"]["groupBy"] == "method.value"
    assert (validation["config"]["groupAgg"], validation["config"]["groupArea"]) == ("mean", "stddev")
    assert sorted(bars["config"]["metrics"]) == ["summary_metrics.dhn/mAP", "summary_metrics.idhn/mAP"]
    assert media["config"]["mediaKeys"] == ["gallery"]


def test_runs_are_those_of_the_data_set_and_the_code_length(small: Study, requests: list[dict], tmp_path: Path) -> None:
    send(small, "", "hashing", "me", tmp_path)

    spec = json.loads(requests[0]["spec"])
    (grid,) = (block for block in spec["blocks"] if block["type"] == "panel-grid")
    (runs,) = grid["metadata"]["runSets"]
    filters = [(one["key"]["name"], one["op"], one["value"]) for one in runs["filters"]["filters"]]
    assert filters == [("data", "=", "toy"), ("bits", "=", 16)]
    assert runs["grouping"] == [{"section": "config", "name": "method.value"}]
    assert requests[0]["entityName"] == "me"


def test_settings_of_a_method_are_not_averaged(
    write_run: WriteRun, runs: str, requests: list[dict], tmp_path: Path
) -> None:
    write_run("idhn", overrides=["loss.gamma=1"])
    write_run("idhn", overrides=["loss.gamma=2"])

    send(collect([runs], Choice()), "", "hashing", "me", tmp_path)

    assert all("groupBy" not in panel["config"] for panel in panels_of(json.loads(requests[0]["spec"])))


def test_a_server_that_cannot_be_reached_is_one_warning_and_the_description_is_kept(
    small: Study,
    requests: list[dict],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> str:
        msg = "no API key configured"
        raise RuntimeError(msg)

    monkeypatch.setattr("softhash.study.dashboard._default_entity", fail)

    with caplog.at_level(logging.WARNING):
        assert send(small, "", "hashing", None, tmp_path) is None

    (message,) = caplog.messages
    assert "no API key configured" in message
    assert str(tmp_path / "dashboard.json") in message
    assert json.loads((tmp_path / "dashboard.json").read_text())["blocks"]
    assert requests == []


def test_offline_nothing_is_sent(
    small: Study, requests: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")

    assert send(small, "", "hashing", None, tmp_path) is None

    assert requests == []
    assert (tmp_path / "dashboard.json").is_file()


def test_without_the_extra_it_says_which_one(small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)

    with pytest.raises(ValueError, match=r"needs the extra dashboard: pip install 'softhash\[dashboard\]'"):
        send(small, "", "hashing", None, tmp_path)
