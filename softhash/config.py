"""Where the configuration files live, and what they may compute."""

import hashlib
import json
from pathlib import Path
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

_PACKAGE = Path(__file__).parent
_NOT_RESULTS = {  # keys of train that say where, when and beside what a run is done, and what another verb searches
    *("run", "run_dir", "started", "cache_dir", "experiment_name", "logger", "num_workers", "hydra", "space")
}


def root() -> Path:
    """Directory that holds ``conf/`` and ``sweeps/``: the package in a wheel, else the checkout."""
    return _PACKAGE if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent


class SweepSource(ConfigSource):
    """The YAML files of one folder, given to Hydra as the group ``sweeps``, and nothing that lies beside or below them.

    A ``file://`` path would be that of the folder above, and ``--help`` would walk all of it: a virtual environment,
    runs, data.
    """

    @staticmethod
    def scheme() -> str:
        """Name that stands before ``://`` in the search path."""
        return "sweeps"

    def available(self) -> bool:
        """Whether the folder is there."""
        return Path(self.path).is_dir()

    def is_group(self, config_path: str) -> bool:
        """Whether Hydra may list it: the root, and its only group."""
        return config_path in {"", "sweeps"}

    def is_config(self, config_path: str) -> bool:
        """Whether it is ``sweeps/NAME`` of a file."""
        return self._file(config_path).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Names in the root (its only group) or in the group (the files)."""
        if config_path == "":
            return [] if results_filter == ObjectType.CONFIG else ["sweeps"]
        return [] if results_filter == ObjectType.GROUP else sweeps(Path(self.path))

    def load_config(self, config_path: str) -> ConfigResult:
        """Read ``sweeps/NAME``.

        Raises:
            ConfigLoadError: There is no such file.
        """
        path = self._file(config_path)
        if not path.is_file():
            msg = f"no sweep file {path}"
            raise ConfigLoadError(msg)
        header = self._get_header_dict(path.read_text(encoding="utf-8"))
        return ConfigResult(self.provider, self.full_path(), OmegaConf.load(path), header)

    def _file(self, config_path: str) -> Path:
        group, _, name = self._normalize_file_name(config_path).rpartition("/")
        return Path(self.path, name if group == "sweeps" else "")


class SofthashSearchPath(SearchPathPlugin):
    """Let Hydra find ``sweeps/``, and the ``conf/`` and ``sweeps/`` of the project that softhash is run in.

    All are appended, so a user's file can add an option but never shadow one of ours. None is a folder that holds
    more than configs, because Hydra walks all of it.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folders that there are."""
        search_path.append("softhash", f"sweeps://{root() / 'sweeps'}")
        for name, scheme in (("conf", "file"), ("sweeps", "sweeps")):
            local = Path.cwd() / name
            if local.is_dir() and not local.samefile(root() / name):
                search_path.append("project", f"{scheme}://{local}")


def fast_precision() -> str:
    """Training precision for dense convolutions: bfloat16 where the processor multiplies it, else float32."""
    import torch  # noqa: PLC0415 - `softhash --help` should not wait for it

    if torch.cuda.is_available():
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        flags = Path("/proc/cpuinfo")
        supported = flags.is_file() and any(flag in flags.read_text() for flag in ("amx_bf16", "avx512_bf16"))
    return "bf16-mixed" if supported else "32-true"


def fingerprint(*, _root_: DictConfig) -> str:
    """Ten letters that tell a configuration from all that could give other results: the name of a job of a sweep."""
    return hashlib.sha256(json.dumps(decisive(_root_), sort_keys=True, default=str).encode()).hexdigest()[:10]


def decisive(config: DictConfig) -> dict[str, Any]:
    """What of the configuration of a training could change its results.

    Values that refer to others, to the machine or to the environment count as they are written, so they are the same
    on every machine.
    """
    values: Any = OmegaConf.to_container(config, resolve=False)
    return {key: value for key, value in values.items() if key not in _NOT_RESULTS}


def groups() -> str:
    """All groups with their options, a line each, for ``--help``: ours, and those of the project."""
    options: dict[str, set[str]] = {}
    for folder in (root(), Path.cwd()):
        for path in (folder / "conf").rglob("*.yaml"):
            group = path.relative_to(folder / "conf").parent.as_posix()
            if group not in {".", "data/common"} and not group.startswith("hydra"):
                options.setdefault(group, set()).add(path.stem)
        options.setdefault("+sweeps", set()).update(sweeps(folder / "sweeps"))
    return "\n".join(f"{group}: {', '.join(sorted(names))}" for group, names in sorted(options.items()))


def sweeps(folder: Path) -> list[str]:
    """Names of the sweep files of a folder; those below it are of other programs."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


Plugins.instance().register(SweepSource)
Plugins.instance().register(SofthashSearchPath)
OmegaConf.register_new_resolver("fast_precision", fast_precision, replace=True)
OmegaConf.register_new_resolver("fingerprint", fingerprint, replace=True)
OmegaConf.register_new_resolver("groups", groups, replace=True)
