"""`model=path/to/file.py:make` on a command line: a network of the user stands in the group.

Hydra chooses a file of conf/model by its name. A name that is FILE.py:FUNCTION gets such a sheet
in memory, also where it is one of several values (`-m`) or of an axis (`sweep=[...]`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from profiles.tables import own

_GROUP = "model"
_LISTS = ("sweep", "plan.over")
"""Fields that hold axes, KEY=A,B, each."""


def register(arguments: Sequence[str]) -> None:
    """Make every network of the user that a command line names known to Hydra.

    Raises:
        ValueError: a file without a function.
    """
    for value in _values(arguments):
        if value.endswith(".py"):
            raise ValueError(f"model={value} needs the function that makes it: model={value}:make")
        if own.is_own(value):
            folder, _, name = f"{_GROUP}/{value}".rpartition("/")
            group = "/".join(part for part in folder.split("/") if part)
            store = ConfigStore.instance()
            store.store(name=name, node=own.sheet(value), group=group, package=_GROUP)


def _values(arguments: Sequence[str]) -> Iterator[str]:
    """Every value of the group, those of axes too."""
    parser = OverridesParser.create()
    for word in arguments:
        key = word.partition("=")[0].lstrip("+").partition("@")[0]
        if key != _GROUP and key not in _LISTS:
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
        if key == _GROUP:
            yield from given
        else:
            yield from _values(given)


def _text(value: Any) -> str:
    return str(getattr(value, "text", value))
