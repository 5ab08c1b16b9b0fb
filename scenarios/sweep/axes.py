"""Axes to points: `sweep: ["fleet.n_devices=1,2,4", "link=wifi,lte"]` inside one Hydra job.

A field axis is played by `dataclasses.replace` (tens of microseconds a point); an axis over a
group is composed once per combination of group choices. An axis that also stands on the command
line leaves the grid: what the user typed wins.
"""

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from scenarios.shell.errors import MISTAKES, one_line
from scenarios.shell.schema import check_key, replace_all, to_spec


class Axis(NamedTuple):
    """One swept key with its values; `is_group` where it chooses between files."""

    key: str
    values: tuple[Any, ...]
    is_group: bool


class Point(NamedTuple):
    """One combination of axis values and the configuration that it resolves to.

    Where the spec refuses the values, `error` says why and `config` is that of no axis.
    """

    values: dict[str, Any]
    config: Any
    error: str = ""


def points(
    config: Any, axes: Sequence[Axis], prepare: Callable[[Any], Any] = lambda config: config
) -> Iterator[Point]:
    """Yield the cartesian product of `axes`, the last axis fastest, each resolved to a config.

    `prepare` changes the configuration of every choice of groups before fields are replaced in it.

    Raises:
        ValueError: for an axis whose key no field or group has.
    """
    for axis in axes:
        if not axis.is_group:
            check_key(config, axis.key)
    group_axes = [axis for axis in axes if axis.is_group]
    field_axes = [axis for axis in axes if not axis.is_group]
    for chosen in itertools.product(*(axis.values for axis in group_axes)):
        groups = {axis.key: value for axis, value in zip(group_axes, chosen, strict=True)}
        base, refusal = config, ""
        try:
            base = prepare(_compose(groups) if groups else config)
        except MISTAKES as error:
            refusal = one_line(error)
        for values in itertools.product(*(axis.values for axis in field_axes)):
            fields = {axis.key: value for axis, value in zip(field_axes, values, strict=True)}
            resolved, why = (base, refusal) if refusal else _resolve(base, fields)
            yield Point({**groups, **fields}, resolved, why)


def _resolve(base: Any, fields: dict[str, Any]) -> tuple[Any, str]:
    try:
        return replace_all(base, fields), ""
    except ValueError as error:
        return base, one_line(error)


def axes_of(sweep: Sequence[str]) -> list[Axis]:
    """Parse a list of override strings into axes, without those given on the command line.

    Raises:
        ValueError: for text that is no override, or a key that stands in it twice.
    """
    typed = typed_keys()
    axes = [_axis(text) for text in sweep]
    keys = [axis.key for axis in axes]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice:
        raise ValueError(f"sweep names {twice!r} twice; join the values with commas")
    return [axis for axis in axes if axis.key not in typed]


def keep(group: str, axes: Sequence[Axis]) -> list[Axis]:
    """Those axes, and the file of a group that is chosen now, so that none of theirs brings another
    one; where the group is an axis itself, or typed on the command line, those alone.
    """
    if group in {*typed_keys(), *(axis.key for axis in axes)} or not HydraConfig.initialized():
        return list(axes)
    return [*axes, Axis(group, (HydraConfig.get().runtime.choices[group],), is_group=True)]


def typed_keys() -> set[str]:
    """The keys that stand on the command line of this job; none in a script."""
    return {override.split("=", 1)[0].lstrip("+~") for override in _read_command_line()}


def _axis(text: str) -> Axis:
    override = OverridesParser.create().parse_override(text)
    key = override.get_key_element()
    if override.is_sweep_override():
        values = tuple(_plain(value) for value in override.sweep_iterator(lambda x: x))
    else:
        values = (_plain(override.value()),)
    is_group = HydraConfig.initialized() and key in HydraConfig.get().runtime.choices
    return Axis(key, values, is_group)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    return value.text if hasattr(value, "text") else value


def swept_keys(arguments: Sequence[str]) -> list[str]:
    """The keys of a command line that take several values, one job each (`-m`).

    Raises:
        HydraException: for an argument that is no override.
    """
    parser = OverridesParser.create()
    words = [word for word in arguments if not word.startswith("-")]
    swept = [each for each in parser.parse_overrides(words) if each.is_sweep_override()]
    return [_key(override) for override in swept]


def values_of(overrides: Sequence[str], keys: Collection[str]) -> dict[str, Any]:
    """The values that some overrides give to some keys."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return {_key(each): _plain(each.value()) for each in parsed if _key(each) in keys}


def _key(override: Override) -> str:
    return override.get_key_element().lstrip("+~")


def _read_command_line() -> list[str]:
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def _compose(groups: dict[str, Any]) -> Any:
    overrides = [*_read_command_line(), *(f"{key}={value}" for key, value in groups.items())]
    config = hydra.compose(HydraConfig.get().job.config_name, overrides)
    OmegaConf.resolve(config)
    return dataclasses.replace(to_spec(config), sweep=[])
