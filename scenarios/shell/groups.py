"""The groups of a command and their choices, as the files of conf say."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import conf

_CONF = Path(conf.__file__).parent


def groups_of(name: str) -> Mapping[str, Sequence[str]]:
    """Return the choices of every group that the defaults list of conf/NAME.yaml mentions."""
    sheet: Any = OmegaConf.load(_CONF / f"{name}.yaml")
    defaults = sheet.get("defaults", [])
    mentioned = [next(iter(item)) for item in defaults if not isinstance(item, str)]
    return {
        group: sorted(path.stem for path in (_CONF / group.split("@")[0]).glob("*.yaml"))
        for group in mentioned
    }


def keys_of(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the groups and every key that one of their files sets."""
    keys = list(groups)
    for group, choices in groups.items():
        folder, _, package = group.partition("@")
        for choice in choices:
            content = _options(_CONF / folder / f"{choice}.yaml")
            keys += [f"{package or folder}.{key}" for key in content if key != "defaults"]
    return keys


def owners(group: str, option: str) -> list[str]:
    """Return the choices of a group whose file sets that option."""
    folder = _CONF / group
    found = []
    for path in sorted(folder.glob("*.yaml")) if option and folder.is_dir() else []:
        found += [path.stem] if option in _options(path) else []
    return found


@cache
def _options(path: Path) -> tuple[str, ...]:
    """What a file sets."""
    content: Any = OmegaConf.load(path)
    return tuple(content)
