"""Where the configuration files live, what they may compute, and what is wrong with an override."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

_PACKAGE = Path(__file__).parent


def root() -> Path:
    """Directory that holds ``conf/`` and ``sweeps/``: the package in a wheel, else the checkout."""
    return _PACKAGE if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent


class SofthashSearchPath(SearchPathPlugin):
    """Let Hydra find ``sweeps/`` and the ``conf/`` of the project softhash is run in.

    Both are appended, so a user's file can add an option but never shadow one of ours.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the two directories."""
        search_path.append("softhash", f"file://{root()}")
        local = Path.cwd() / "conf"
        if local.is_dir() and not local.samefile(root() / "conf"):
            search_path.append("project", f"file://{local}")


def fast_precision() -> str:
    """Training precision for dense convolutions: bfloat16 where the processor multiplies it, else float32."""
    import torch  # noqa: PLC0415 - `softhash --help` should not wait for it

    if torch.cuda.is_available():
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        flags = Path("/proc/cpuinfo")
        supported = flags.is_file() and any(flag in flags.read_text() for flag in ("amx_bf16", "avx512_bf16"))
    return "bf16-mixed" if supported else "32-true"


def groups() -> str:
    """All groups with their options, a line each, for ``--help``: ours, those of the project, and ``sweeps/``.

    Hydra's own list would hold every folder beside ``sweeps/`` that has a YAML file in it.
    """
    found: dict[str, set[str]] = {}
    for home in (root() / "conf", Path.cwd() / "conf"):
        for path in home.rglob("*.yaml"):
            group = path.relative_to(home).parent.as_posix()
            if group not in {".", "data/common"} and not group.startswith("hydra"):
                found.setdefault(group, set()).add(path.stem)
    found["+sweeps"] = {path.stem for path in (root() / "sweeps").glob("*.yaml")}
    return "\n".join(f"{group}: {', '.join(sorted(options))}" for group, options in sorted(found.items()))


Plugins.instance().register(SofthashSearchPath)
OmegaConf.register_new_resolver("fast_precision", fast_precision, replace=True)
OmegaConf.register_new_resolver("groups", groups, replace=True)


def check_overrides(verb: str, arguments: list[str]) -> None:
    """Compose the configuration once for every option that a sweep chooses, before any work starts.

    Args:
        verb: Name of the root config.
        arguments: Overrides as typed, sweeps included.

    Raises:
        ValueError: An option or a key does not exist, with the closest names that do.
    """
    overrides = [_parse(argument) for argument in arguments]
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        for candidate in _one_value_each(overrides):
            try:
                compose(verb, candidate, return_hydra_config=True)
            except HydraException as error:
                msg = _explain(verb, candidate, str(error))
                raise ValueError(msg) from error


def _parse(argument: str) -> Override:
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException as error:
        msg = f"cannot read {argument!r}: {str(error).splitlines()[0]}\n  Write group=option or key=value."
        raise ValueError(msg) from error


def _one_value_each(overrides: list[Override]) -> Iterator[list[str]]:
    """All overrides with the first value of each sweep, then each further option of a swept group in its place.

    Further values of a key compose as the first does.
    """
    loader = GlobalHydra.instance().config_loader()
    values = [
        [f"{o.get_key_element()}={value}" for value in o.sweep_string_iterator()]
        if o.is_sweep_override()
        else [o.input_line]
        for o in overrides
    ]
    first = [str(choices[0]) for choices in values]
    yield first
    for place, (override, choices) in enumerate(zip(overrides, values, strict=True)):
        for value in choices[1:] if loader.get_group_options(override.key_or_group) else []:
            yield [*first[:place], str(value), *first[place + 1 :]]


def _explain(verb: str, overrides: list[str], error: str) -> str:
    """Say which override is wrong in the user's words, and name the closest that exist."""
    option = re.search(r"Could not find '([^']+)'\n\nAvailable options in '([^']+)':\n(.*)", error, re.DOTALL)
    if option:
        asked, group, listed = option[1].rpartition("/")[2], option[2], option[3].split()
        return f"{group}={asked}: no such option.{_closest(asked, listed)}\n  Options: {', '.join(listed)}"
    key = re.search(r"Could not override '([^']+)'", error)
    if key:
        close = _closest(key[1], _names(verb, overrides))
        return f"{key[1]}: no such option or key.{close}\n  softhash {verb.replace('_', ' ')} --help lists all."
    return error


def _closest(asked: str, names: list[str]) -> str:
    found = difflib.get_close_matches(asked, names, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(found)}?" if found else ""


def _names(verb: str, overrides: list[str]) -> list[str]:
    """Names of every group and every key (dotted) of the configuration without the overrides of keys."""
    groups = [path.name for path in (root() / "conf").iterdir() if path.is_dir()]
    choices = [o for o in overrides if o.partition("=")[0] in groups]
    try:
        config = compose(verb, choices)
    except HydraException:
        config = compose(verb)
    return groups + list(_keys(config))


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in config:
        name = f"{prefix}{key!s}"
        yield name
        node = config._get_node(key)  # noqa: SLF001 - the value itself might be an unresolved interpolation
        if isinstance(node, DictConfig) and not node._is_interpolation() and not node._is_none():  # noqa: SLF001
            yield from _keys(node, f"{name}.")
