"""``softhash evaluate``: every measure again, from the codes of a run on disk."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from softhash.report.page import write_page
from softhash.report.tables import result_table
from softhash.runs.measure import measure


def run(cfg: DictConfig) -> None:
    """Measure the codes of a run and show the table.

    Raises:
        FileNotFoundError: The folder is not that of a run that has reached its end.
    """
    folder = Path(cfg.run)
    missing = [name for name in ("config.yaml", "run.json", "codes/labels.npz") if not (folder / name).is_file()]
    if missing:
        msg = f"run={folder} is not the folder of a run: it has no {' and no '.join(missing)}"
        raise FileNotFoundError(msg)
    if cfg.top_k is None:
        cfg.top_k = OmegaConf.load(folder / "config.yaml").top_k
    console = Console()
    console.print(result_table(measure(folder, list(instantiate(cfg.metric).values()))))
    console.print(f"Run folder: {folder}\nOpen {write_page(folder)}", soft_wrap=True)
