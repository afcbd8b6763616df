"""What may change when a run is resumed, looked at before anything is written into its folder."""

import re
from pathlib import Path

import yaml
from hydra.errors import HydraException

from softhash.overrides import differences, value_of
from softhash.quoting import quote_override
from softhash.slurm import is_requeued

_MAY_CHANGE = (
    *("epochs", "trainer", "logger", "metric", "top_k", "baselines", "callbacks", "num_workers"),
    *("data.root", "cache_dir", "run"),
)
_OF_A_RESUME = ("run=", "hydra.run.dir=", "hydra.output_subdir=")
_IS_CODE = re.compile(
    r"_target_"
    r"|^[^=]*\bhydra[./]"  # callbacks, launchers and search paths of Hydra
    r"|^[^=.]*=.*\.\.",  # an option of a group that lies elsewhere
    re.DOTALL,
)
_READS_ONLY = re.compile(r"\$\{(oc\.env:)?[\w.,/ -]*\}")  # another value, or the environment; other resolvers compute


def resumed(overrides: list[str]) -> list[str]:
    """Put the overrides of the run named by ``run=FOLDER`` before the other ones, and write into its folder.

    Hydra writes nothing there: a resume that is refused later, or a full disk, must not change the overrides of a run.
    A run that is new is refused the folder of another one.

    Args:
        overrides: As Hydra reads them.

    Raises:
        FileNotFoundError: The folder is not that of a run.
        ValueError: The run would become another one; or its own overrides could run code; or a new run is to have a
            folder that has one.
    """
    folders = [value_of(override) for override in overrides if override.startswith("run=")]
    if not folders or folders[-1] is None:
        _refuse_taken([override for override in overrides if override.startswith("hydra.run.dir=")])
        return overrides
    folder = Path(str(folders[-1]))
    earlier = _stored(folder, overrides)
    _refuse_changes(folder, earlier, overrides)
    return [*earlier, quote_override("hydra.run.dir", folder), "hydra.output_subdir=null", *overrides]


def _refuse_taken(folders: list[str]) -> None:
    if folders and "${" not in folders[-1] and not is_requeued():
        from softhash.runs.folder import Run  # noqa: PLC0415 - a command line without a folder should not wait for torch

        Run(str(value_of(folders[-1]))).refuse_taken()


def _stored(folder: Path, by_hand: list[str]) -> list[str]:
    """Overrides that the run was started with; a folder from somebody else is data, not code."""
    path = folder / ".hydra" / "overrides.yaml"
    if not path.is_file():
        msg = f"run={folder} is not the folder of a run: it has no .hydra/overrides.yaml"
        raise FileNotFoundError(msg)
    try:
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {error}"
        raise ValueError(msg) from error
    if not isinstance(stored, list):
        msg = f"{path} is no list of overrides"
        raise ValueError(msg)  # noqa: TRY004 - the content of a file
    earlier = [str(override) for override in stored if not str(override).startswith(_OF_A_RESUME)]
    for override in earlier:
        try:
            text = f"{override} {value_of(override)}"  # as written, and without escapes that could hide a name
        except (ValueError, HydraException) as error:
            msg = f"{path} has {override!r}, which is no override: {error}"
            raise ValueError(msg) from error
        if override not in by_hand and (_IS_CODE.search(text) or "${" in _READS_ONLY.sub("", text)):
            msg = (
                f"{path} has {override!r}, which can run any code.\n"
                "  If you wrote it yourself, give it again on the command line."
            )
            raise ValueError(msg)
    return earlier


def _refuse_changes(folder: Path, earlier: list[str], overrides: list[str]) -> None:
    for key, (old, new) in differences("train", earlier, [*earlier, *overrides]).items():
        if not any(key == name or key.startswith(f"{name}.") for name in _MAY_CHANGE):
            msg = (
                f"run={folder} cannot go on: its {key} is {old!r}, not {new!r}.\n"
                f"  {', '.join(_MAY_CHANGE[:-1])} may change; for anything else train anew, without run=."
            )
            raise ValueError(msg)
        if key == "epochs" and new < old:
            _refuse_fewer_epochs(folder, new)


def _refuse_fewer_epochs(folder: Path, epochs: int) -> None:
    from softhash.runs.folder import Run  # noqa: PLC0415 - a command line that is refused otherwise should not wait

    run = Run(folder)
    trained = run.checkpoint(run.last)["epoch"] + 1 if run.last.is_file() else 0
    if epochs < trained:
        msg = f"run={folder} cannot go on: it has trained {trained} epochs, which is more than epochs={epochs}"
        raise ValueError(msg)
