"""``softhash index``: make an index of codes, or change one."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig
from rich.console import Console

from softhash.search.collection import Collection
from softhash.search.index import Index, add_to_index, delete_from_index, write_index
from softhash.search.recall import recall
from softhash.search.sources import labelled, read_codes, read_labels

_TOP_K = 100  # of the check


def run(cfg: DictConfig) -> None:
    """Write the index, change it, or leave it as it is, and report its recall where asked to.

    Raises:
        FileNotFoundError: There are no codes, or no index to change.
        ValueError: Nothing or several things are asked for, codes do not fit, or the engine cannot hold them.
        OSError: The disk is full, or the server of the engine cannot be reached.
    """
    out, console = Path(cfg.out).expanduser(), Console(soft_wrap=True)
    asked = [name for name in ("codes", "add", "delete") if cfg[name] is not None]
    if cfg.check < 0:
        msg = f"check must be at least 0, got {cfg.check}"
        raise ValueError(msg)
    if len(asked) > 1 or not (asked or cfg.check):
        found = " and ".join(asked) or "none"
        msg = f"one of codes=..., add=... and delete=... is needed, or check=... alone; got {found}"
        raise ValueError(msg)
    if asked:
        collection = changed(cfg, out)
        console.print(f"{len(collection):,} images, {collection.bits} bits: {out}", markup=False)
    if cfg.check:
        index = Index.open(out, trust=cfg.trust)
        top_k = min(_TOP_K, len(index))
        value = recall(index, cfg.check, top_k)
        console.print(f"Recall@{top_k} of {min(cfg.check, len(index)):,} of its codes: {value:.4f}", markup=False)


def changed(cfg: DictConfig, out: Path) -> Collection:
    """Make the index, add to it or delete from it; gives what it holds then."""
    if cfg.delete is not None:
        names = list(cfg.delete) if isinstance(cfg.delete, ListConfig) else [cfg.delete]
        return delete_from_index(out, [str(name) for name in names], trust=cfg.trust)
    collection = read_codes(Path(cfg.codes or cfg.add).expanduser())
    if cfg.labels is not None:
        collection = labelled(collection, read_labels(Path(cfg.labels).expanduser()))
    if cfg.add is not None:
        return add_to_index(out, collection, trust=cfg.trust)
    write_index(collection, instantiate(cfg.engine), out)
    return collection
