"""``softhash <verb> [overrides]``: every verb is one root config and one task of the same name."""

import difflib
import os
import sys
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import hydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from softhash.config import check_overrides, root

_TRANSLATED = "--config-name="
_NOT_FOR_USERS = (  # warnings of Lightning that a user can do nothing about
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"Found \d+ module\(s\) in eval mode",  # a frozen backbone is so on purpose
)


def verbs() -> dict[str, str]:
    """Names of the root configs in ``conf/`` (``data verify`` of ``data_verify.yaml``), each with its first comment."""
    return {
        path.stem.replace("_", " "): path.read_text().partition("\n")[0].lstrip("# ")
        for path in sorted((root() / "conf").glob("*.yaml"))
    }


def usage() -> str:
    """What ``softhash`` alone prints."""
    lines = "\n".join(f"  {name:<13} {text}" for name, text in verbs().items())
    return (
        "usage: softhash <verb> [group=option] [key=value] [-m]\n\n"
        f"{lines}\n\n"
        "softhash <verb> --help lists groups, options and keys; softhash --version the version."
    )


def to_hydra(arguments: list[str]) -> list[str]:
    """Translate ``train method=dpsh`` into Hydra's own arguments.

    Translated arguments pass through: a DDP worker is started with the argv of its parent.

    Raises:
        ValueError: The verb, an option or a key does not exist.
    """
    if arguments and arguments[0].startswith(_TRANSLATED):
        return arguments
    known = verbs()
    words = 2 if any(verb.startswith(f"{arguments[0]} ") for verb in known) else 1
    verb, rest = " ".join(arguments[:words]), arguments[words:]
    if verb not in known:
        close = difflib.get_close_matches(verb, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        msg = f"no verb {verb!r}.{hint}\n\n{usage()}"
        raise ValueError(msg)
    if verb == "train":
        rest = resumed(rest)
    name = verb.replace(" ", "_")
    if not any(argument in {"--help", "-h", "--hydra-help", "--info", "--cfg", "-c"} for argument in rest):
        check_overrides(name, [argument for argument in rest if not argument.startswith("-")])
    return [f"{_TRANSLATED}{name}", *rest]


def resumed(arguments: list[str]) -> list[str]:
    """Put the overrides of the run named by ``run=FOLDER`` before the other ones, and write into its folder.

    Raises:
        FileNotFoundError: The folder is not that of a run.
    """
    folders = [Path(a.removeprefix("run=").strip("'\"")) for a in arguments if a.startswith("run=")]
    if not folders:
        return arguments
    stored = folders[-1] / ".hydra" / "overrides.yaml"
    if not stored.is_file():
        msg = f"run={folders[-1]} is not the folder of a run: it has no .hydra/overrides.yaml"
        raise FileNotFoundError(msg)
    earlier = [str(o) for o in OmegaConf.load(stored) if not str(o).startswith(("run=", "hydra.run.dir="))]
    return [*earlier, f"hydra.run.dir='{folders[-1]}'", *arguments]


def main() -> None:
    """Run the verb's task on the config that Hydra composes.

    What the user can mend is one clear message; anything else is a traceback.
    """
    if sys.argv[1:] in ([], ["--help"], ["-h"], ["help"]):
        print(usage())  # noqa: T201
        return
    if sys.argv[1:] == ["--version"]:
        print(version("softhash"))  # noqa: T201
        return
    try:
        sys.argv[1:] = to_hydra(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"softhash: {error}")
    sys.path.insert(0, str(Path.cwd()))  # modules of the project that softhash is run in
    for message in _NOT_FOR_USERS:
        warnings.filterwarnings("ignore", message)
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands the error over instead of ending the process
    try:
        name = sys.argv[1].removeprefix(_TRANSLATED)
        task = import_module(f"softhash.tasks.{name}").run
        hydra.main(version_base="1.3", config_path=str(root() / "conf"))(task)()
    except (ValueError, OSError, FloatingPointError, HydraException, OmegaConfBaseException) as error:
        if full:
            raise
        sys.exit(f"softhash: {error}\n(HYDRA_FULL_ERROR=1 shows where.)")
