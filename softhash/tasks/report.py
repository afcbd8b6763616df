"""``softhash report``: many runs as tables, tests, figures and a page, from their folders alone."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from softhash.study.collect import Choice, Study, called, collect
from softhash.study.report import write_report
from softhash.study.table import Style


def run(cfg: DictConfig) -> None:
    """Read runs, write the report, and say what is in it and what is not.

    Raises:
        FileNotFoundError: A folder of runs is not there.
        ValueError: Runs cannot be compared, or a choice does not exist.
    """
    places = [cfg.runs] if isinstance(cfg.runs, str) else list(cfg.runs)
    choice = Choice(
        metrics=cfg.metrics,
        methods=cfg.methods,
        sort=cfg.sort,
        ignore=list(cfg.ignore),
        names=OmegaConf.to_container(cfg.names),  # type: ignore[arg-type]
        mixed=cfg.mixed,
    )
    study = collect(places, choice)
    style = Style(cfg.digits, cfg.marks, cfg.level, reference_of(cfg.reference, study), cfg.test)
    folder, console = Path(cfg.out), Console(soft_wrap=True)
    page = write_report(study, style, cfg.ranks, folder)
    for note in study.notes:
        console.print(f"Note: {note}", markup=False)
    for one in study.left_out:
        console.print(f"Left out {one.folder}: {one.why}", markup=False)
    console.print(
        f"{len(study.records)} runs, {len(study.left_out)} left out; {len(study.methods)} methods,"
        f" {len(study.metrics)} metrics. Tables, tests and figures: {page.parent}\nOpen {page}",
        markup=False,
    )
    if cfg.wandb:
        from softhash.study.dashboard import send  # noqa: PLC0415 - needs an extra

        table = (folder / "results.md").read_text(encoding="utf-8")
        address = send(study, table, cfg.wandb_project, cfg.wandb_entity, folder)
        if address:
            console.print(f"Dashboard: {address}", markup=False)


def reference_of(name: str | None, study: Study) -> str | None:
    """Display name of the reference.

    Raises:
        ValueError: It is no method, or one with several settings.
    """
    if name is None:
        return None
    labels = called(name, {method: study.titles[method] for method in study.methods}, "reference")
    if len(labels) > 1:
        msg = f"reference={name} is in the runs with several settings; say which: {', '.join(labels)}"
        raise ValueError(msg)
    return labels[0]
