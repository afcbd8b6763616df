"""``softhash evaluate``: every metric again, from the codes of a run on disk."""

import re

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from softhash.report.page import write_page
from softhash.report.tables import result_table
from softhash.runs.folder import Record, Run
from softhash.runs.measure import measure

_PLAIN = re.compile(r"metric\.\w+\.[a-z]\w*=[\w.+-]+")  # an argument of a metric, and nothing that could be executed


def run(cfg: DictConfig) -> None:
    """Measure the codes of a run, show the table, and write both into its folder.

    Raises:
        FileNotFoundError: The folder is not that of a run that has reached its end.
        ValueError: A file of it is damaged.
        OSError: Another process writes the folder.
    """
    folder = Run(cfg.run)
    metrics = instantiate(chosen(folder.record(), HydraConfig.get().overrides.task).metric)
    measures = measure(folder, list(metrics.values()))
    console = Console()
    console.print(result_table(measures.result))
    with folder.locked():
        measures.write(folder)
        write_page(folder)
    console.print(f"Run folder: {folder.folder}\nOpen {folder.page}", soft_wrap=True, markup=False)


def chosen(record: Record, asked: list[str]) -> DictConfig:
    """The configuration with the metrics and the cut-off of the run, where the user has chosen no others.

    They are composed from the options that this installation has: a run folder only says their names.

    Args:
        record: The run.
        asked: Overrides of the user.
    """
    defaults = [f"top_k={'null' if record.top_k is None else record.top_k}"]
    if not any(override.startswith("metric=") for override in asked):
        defaults += [f"metric=[{','.join(record.metrics)}]", *filter(_PLAIN.fullmatch, record.overrides)]
    return compose("evaluate", [*defaults, *asked])
