"""What is wrong with the overrides that a user typed, before any work starts."""

import difflib
import os
import re
from collections.abc import Iterator
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from softhash.config import root
from softhash.quoting import quote
from softhash.tuning.space import of_training, space_of

_LEAST = {  # whole numbers of the root configs, with the smallest value of each
    "bits": 1,
    "seed": 0,
    "batch_size": 1,
    "epochs": 0,
    "top_k": 1,
    "image_size": 1,
    "image_channels": 1,
    "num_workers": 0,
    "count": 1,
    "devices": 1,
    "num_nodes": 1,
    "trials": 1,
}
_MAY_BE_NULL = {"top_k"}
_BEGUN = re.compile(r"[\[{'\"]|\w+\(")  # a list, a dictionary, a quoted text or a function, but not closed
_NO_OPTION = re.compile(r"(?:In '([^']+)': )?Could not (?:find|load) '([^']+)/([^'/]+)'")
_NO_KEY = re.compile(r"Could not override '([^']+)'")


def readable(argument: str, *, multirun: bool = False) -> str:
    """Put the value of an override into quotes where Hydra cannot read it without: ``data.root=/home/josé``.

    Args:
        argument: An override as typed.
        multirun: Whether commas stand between the values of a sweep.

    Raises:
        ValueError: It is no override, or it is not clear where a value ends.
    """
    key, equals, value = argument.partition("=")
    is_path = "/" in value or os.sep in value
    quoted = f"{key}={quote(value)}"
    try:
        override = _parse(argument)
    except ValueError as error:
        if not equals or (_BEGUN.match(value) and not is_path) or (multirun and "," in value):
            raise
        try:
            _parse(quoted)
        except ValueError:
            raise error from None
        return quoted
    several = override.value_type == ValueType.SIMPLE_CHOICE_SWEEP
    return quoted if several and is_path and not multirun else argument


def value_of(override: str) -> Any:
    """Value of an override that is no sweep.

    Raises:
        ValueError: It is no override.
    """
    return _parse(override).value()


def check_overrides(verb: str, arguments: list[str], *, multirun: bool = False) -> None:
    """Compose the configuration once for every option that a sweep chooses, before any work starts.

    Args:
        verb: Name of the root config.
        arguments: Overrides as Hydra reads them, sweeps included.
        multirun: Whether there may be sweeps.

    Raises:
        ValueError: An option or a key does not exist, with the closest names that do; or a value cannot be.
    """
    overrides = [_parse(argument) for argument in arguments]
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        if multirun:
            first = _composed(verb, next(_one_value_each(overrides)))
            swept = first.hydra.sweeper.get("params") or {}  # of a file of sweeps
            overrides = [_parse(f"{key}={value}") for key, value in swept.items()] + overrides
        for candidate in _one_value_each(overrides):
            _check_values(_composed(verb, candidate), overrides)
    for override in overrides:
        if override.is_discrete_sweep() and not multirun:
            msg = (
                f"{override.input_line} has several values. Add -m to run each,"
                f' or write "{override.key_or_group}={quote("...")}" if it is one text.'
            )
            raise ValueError(msg)
        for value in override.sweep_iterator() if override.is_discrete_sweep() else []:
            _check_integer(override.key_or_group, value.text if isinstance(value, QuotedString) else value)


def searched(overrides: list[str]) -> list[str]:
    """Let the keys with several values be what ``tune`` searches, and not the jobs of a multirun.

    Args:
        overrides: As Hydra reads them.

    Raises:
        ValueError: A key is also set to one value, or ``space`` itself is set.

    Example:
        >>> searched(["bits=8", "loss.gamma=0.1,0.2"])
        ['bits=8', "++space={loss.gamma: '0.1,0.2'}"]
    """
    space, set_keys = {}, set()
    single = []
    for override, parsed in zip(overrides, map(_parse, overrides), strict=True):
        if parsed.key_or_group.partition(".")[0] == "space":
            msg = f"{override}: give several values to the key itself, such as loss.gamma=0.1,0.2"
            raise ValueError(msg)
        if parsed.is_sweep_override():
            space[parsed.get_key_element()] = override.partition("=")[2]
        else:
            single.append(override)
            set_keys.add(parsed.key_or_group)
    if both := sorted(set_keys & space.keys()):
        msg = f"{both[0]} has one value and is searched as well; leave one of both away"
        raise ValueError(msg)
    values = ", ".join(f"{key}: {quote(text)}" for key, text in space.items())
    return [*single, f"++space={{{values}}}"] if space else single


def check_space(arguments: list[str]) -> None:
    """Compose the configuration of a trial, with every option of a group that is searched, before any work starts.

    Args:
        arguments: Overrides of ``tune`` as Hydra reads them.

    Raises:
        ValueError: There is nothing to search; or a key or an option of it does not exist, with the closest names; or
            its values cannot be.
    """
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = _composed("tune", arguments)
    space = space_of(config.space, arguments)
    if not space:
        msg = (
            f"method={config.hydra.runtime.choices.method} has no space to search, or all of its keys are set.\n"
            "  Give several values to a key, such as loss.gamma=0.01,0.1,1.0 or"
            " 'optimizer.lr=tag(log,interval(0.0001,0.01))'."
        )
        raise ValueError(msg)
    values = [f"{key}={config.space[key]}" for key in space]
    check_overrides("train", [*of_training(arguments), *values], multirun=True)


def differences(verb: str, before: list[str], after: list[str]) -> dict[str, tuple[Any, Any]]:
    """Choices of groups and then values (dotted) that two lists of overrides compose to differently.

    Args:
        verb: Name of the root config.
        before: Overrides as Hydra reads them, without sweeps.
        after: Those of the other composition.

    Returns:
        Both values by name, not resolved, None where there is none.

    Raises:
        ValueError: An option or a key does not exist, with the closest names that do.
    """
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        old, new = (_flat(_composed(verb, overrides)) for overrides in (before, after))
    return {key: (old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)}


def _flat(config: DictConfig) -> dict[str, Any]:
    """Choices of our groups, and every value that is no mapping by its dotted key."""
    choices = {name: value for name, value in config.hydra.runtime.choices.items() if not name.startswith("hydra/")}
    values: Any = OmegaConf.to_container(config, resolve=False)
    return {**choices, **dict(_leaves({key: values[key] for key in values if key != "hydra"}, ""))}


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _parse(argument: str) -> Override:
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException as error:
        key, equals, value = argument.partition("=")
        hint = f'Write text in quotes: "{key}={quote(value)}".' if equals else "Write group=option or key=value."
        msg = f"cannot read {argument!r}: {str(error).splitlines()[0]}\n  {hint}"
        raise ValueError(msg) from error


def _composed(verb: str, overrides: list[str]) -> DictConfig:
    try:
        return compose(verb, overrides, return_hydra_config=True)
    except HydraException as error:
        raise ValueError(_explain(verb, overrides, str(error))) from error


def _one_value_each(overrides: list[Override]) -> Iterator[list[str]]:
    """All overrides with the first value of each sweep, then each further option of a swept group in its place.

    Further values of a key compose as the first does.
    """
    values = [_choices(override) for override in overrides]
    first = [choices[0] for choices in values]
    yield first
    for place, (override, choices) in enumerate(zip(overrides, values, strict=True)):
        for value in choices[1:] if _options(override.key_or_group) else []:
            yield [*first[:place], value, *first[place + 1 :]]


def _choices(override: Override) -> list[str]:
    """The override once for each value of its sweep."""
    if override.is_discrete_sweep():
        return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
    interval = override.value()
    if isinstance(interval, IntervalSweep):
        return [f"{override.get_key_element()}={interval.start}"]
    return [str(override.input_line)]


def _check_values(config: DictConfig, overrides: list[Override]) -> None:
    """Refuse values of the root that no task could use.

    Raises:
        ValueError: Says which, and what to do.
    """
    for key in _LEAST:
        if key in config:
            _check_integer(key, config[key])
    if "metric" not in config and any(override.key_or_group == "metric" for override in overrides):
        msg = "metric=[] leaves nothing to measure; name at least one, such as metric=[map]"
        raise ValueError(msg)


def _check_integer(key: str, value: Any) -> None:
    """Refuse what is no whole number, or too small.

    Raises:
        ValueError: Says so in the words of the user.
    """
    null = " or null" if key in _MAY_BE_NULL else ""
    if key not in _LEAST or (value is None and null):
        return
    if type(value) is not int:
        msg = f"{key} must be a whole number{null}, got {value!r}"
        raise ValueError(msg)
    if value < _LEAST[key]:
        msg = f"{key} must be at least {_LEAST[key]}{null}, got {value}"
        raise ValueError(msg)


def _explain(verb: str, overrides: list[str], error: str) -> str:
    """Say which override is wrong in the user's words, and name the closest that exist."""
    option, key = _NO_OPTION.search(error), _NO_KEY.search(error)
    if option:
        parent, group, asked = option.groups()
        options = _options(group)
        close = difflib.get_close_matches(asked, options, n=len(options) or 1)
        listed = close + [name for name in options if name not in close]
        file = "" if parent in {None, verb} else f"conf/{parent}.yaml: "
        return f"{file}{group}={asked}: no such option.{_did_you_mean(close)}\n  Options: {', '.join(listed)}"
    if key:
        close = difflib.get_close_matches(key[1], _names(verb, overrides))
        spelt = f"softhash {verb.replace('_', ' ')} --help lists all."
        return f"{key[1]}: no such option or key.{_did_you_mean(close)}\n  {spelt}"
    return error.partition("\nConfig search path:")[0].strip()


def _did_you_mean(close: list[str]) -> str:
    return f" Did you mean {' or '.join(close[:3])}?" if close else ""


def _options(group: str) -> list[str]:
    loader: ConfigLoader = GlobalHydra.instance().config_loader()
    return loader.get_group_options(group)


def _names(verb: str, overrides: list[str]) -> list[str]:
    """Names of every group and every key (dotted) of the configuration without the overrides of keys."""
    groups = [path.name for path in (root() / "conf").iterdir() if path.is_dir()]
    choices = [o for o in overrides if o.partition("=")[0] in groups]
    try:
        config = compose(verb, choices)
    except HydraException:
        config = compose(verb)
    return groups + [key for key in _keys(config) if not key.startswith("space.")]  # whose keys stand there once more


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in config:
        name = f"{prefix}{key!s}"
        yield name
        node = config._get_node(key)  # noqa: SLF001 - the value itself might be an unresolved interpolation
        if isinstance(node, DictConfig) and not node._is_interpolation() and not node._is_none():  # noqa: SLF001
            yield from _keys(node, f"{name}.")
