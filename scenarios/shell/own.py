"""`model=path/to/file.py:make` on a command line: a network of the user stands in the group, and a
scheme by `scheme=path/to/file.py:make` likewise.

Hydra chooses a file of conf/model by its name. A name that is FILE.py:FUNCTION gets such a sheet
in memory, also where it is one of several values (`-m`) or of an axis (`sweep=[...]`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from profiles.tables import own

_LISTS = ("sweep", "plan.over", "over")
"""Fields that hold axes, KEY=A,B, each."""


def register(arguments: Sequence[str]) -> None:
    """Make every network of the user that a command line names known to Hydra.

    Raises:
        ValueError: a file without a function.
    """
    for group in own.GROUPS:
        for value in _values(arguments, group):
            if value.endswith(".py"):
                raise ValueError(
                    f"{group}={value} needs the function that makes it: {group}={value}:make"
                )
            if own.is_own(value):
                _store(value, group)


def _store(value: str, group: str) -> None:
    folder, _, name = f"{group}/{value}".rpartition("/")
    path = "/".join(part for part in folder.split("/") if part)
    ConfigStore.instance().store(name=name, node=own.sheet(value, group), group=path, package=group)


def _values(arguments: Sequence[str], group: str) -> Iterator[str]:
    """Every value of a group, those of axes too."""
    parser = OverridesParser.create()
    for word in arguments:
        key = word.partition("=")[0].lstrip("+").partition("@")[0]
        if key != group and key not in _LISTS:
            continue
        try:
            override = parser.parse_override(word)
        except HydraException:  # Hydra says it better
            continue
        if override.is_sweep_override():
            given = [_text(each) for each in override.sweep_iterator(lambda value: value)]
        else:
            value = override.value()
            given = [_text(each) for each in (value if isinstance(value, list) else [value])]
        if key == group:
            yield from given
        else:
            yield from _values(given, group)


def _text(value: Any) -> str:
    return str(getattr(value, "text", value))
