"""A dashboard of the study's project on Weights & Biases: its description, and the request that sends it.

Needs the extra ``dashboard``. The runs are those that the logger ``wandb`` has sent or synced; the table is ours.
"""

import logging
import os
from pathlib import Path
from typing import Any

from softhash.storage.atomic import atomic_write
from softhash.study.collect import Study

_log = logging.getLogger(__name__)
_FILE = "dashboard.json"
_WIDE, _HIGH = 12, 8  # of a panel, where the page is 24 wide


def dashboard(study: Study, table: str, project: str, entity: str = "") -> Any:
    """Describe the dashboard: the study's table, then curves, bars and galleries by data set and code length.

    Curves and bars are means and standard deviations over the seeds of a method; where a method has several settings,
    each run is a line of its own, as settings are no seeds.

    Args:
        study: The runs.
        table: The study as Markdown.
        project: Name of the project on the server.
        entity: User or team that has it.

    Returns:
        A ``Report`` of wandb-workspaces.

    Raises:
        ValueError: The extra is not installed.
    """
    try:
        import wandb_workspaces.reports.v2 as report  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        msg = "wandb=true needs the extra dashboard: pip install 'softhash[dashboard]'"
        raise ValueError(msg) from error
    blocks: list[Any] = [report.MarkdownBlock(table)]
    for data in study.data:
        for bits in study.bits(data):
            blocks += [report.H2(f"{data}, {bits} bits"), _panels(report, study, data, bits)]
    title = f"{', '.join(study.data)}: {len(study.methods)} methods"[:128]
    return report.Report(project=project, entity=entity, title=title, width="fluid", blocks=blocks)


def send(study: Study, table: str, project: str, entity: str | None, folder: Path) -> str | None:
    """Write the description into a file, and send it; a server that cannot be reached is a warning.

    Args:
        study: The runs.
        table: The study as Markdown.
        project: Name of the project on the server.
        entity: User or team that has it; None for that of the key.
        folder: Where ``dashboard.json`` is written.

    Returns:
        Address of the dashboard; None where it was not sent.

    Raises:
        ValueError: The extra is not installed.
    """
    report = dashboard(study, table, project, entity or "")
    path = folder / _FILE
    with atomic_write(path) as aside:
        aside.write_text(_as_json(report), encoding="utf-8")
    if os.environ.get("WANDB_MODE") in {"offline", "disabled"}:
        _log.warning("WANDB_MODE is %s: the dashboard is not sent; %s describes it.", os.environ["WANDB_MODE"], path)
        return None
    try:
        report.entity = entity or _default_entity()
        report.save()
    except Exception as error:  # wandb, its transports and its validation raise a dozen kinds
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        _log.warning("The dashboard could not be sent (%s). %s describes it; say wandb=true again later.", reason, path)
        return None
    return str(report.url)


def _as_json(report: Any) -> str:
    return str(report._to_model().spec.model_dump_json(by_alias=True, exclude_none=True, indent=2))  # noqa: SLF001


def _default_entity() -> str:
    import wandb  # noqa: PLC0415

    return str(wandb.Api().default_entity)


def _panels(report: Any, study: Study, data: str, bits: int) -> Any:
    """Runs of a data set and a code length, with their panels."""
    from wandb_workspaces import expr  # noqa: PLC0415

    here = {cell: list(study.cells[cell].values()) for cell in study.cells if (cell.data, cell.bits) == (data, bits)}
    own = {cell: sources for cell, sources in here.items() if sources[0].name == study.titles[cell.method]}
    names = list(dict.fromkeys(sources[0].name for sources in own.values()))
    settings = len(own) > len(names)
    means = {"groupby": report.Config("method"), "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
    groups = {} if settings else means
    logged = sorted({name for sources in own.values() for name in sources[0].run.log()})
    layout = report.Layout(w=_WIDE, h=_HIGH)
    panels = [
        report.LinePlot(title=name, x="Step", y=[name], layout=layout, **groups)
        for name in logged
        if name == "train/loss" or name.startswith("validation/")
    ]
    for metric in study.metrics:
        bars = [report.SummaryMetric(f"{name}/{metric}") for name in names]
        panels.append(report.BarPlot(title=metric, metrics=bars, layout=layout, **groups))
    gallery = report.Layout(w=2 * _WIDE, h=2 * _HIGH)
    panels.append(report.MediaBrowser(title="What it finds", media_keys=["gallery"], layout=gallery))
    runs = report.Runset(
        name=f"{data}, {bits} bits",
        filters=expr.And(expr.Config("data") == study.data[data], expr.Config("bits") == bits),
        groupby=[] if settings else ["config.method"],
        pinned_columns=[f"config:{name}.value" for name in ("method", "data", "bits", "seed")],
    )
    return report.PanelGrid(runsets=[runs], panels=panels)
