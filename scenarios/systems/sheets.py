"""Sheets: the files of conf/ that describe a device, a server, a link or a codec, by name."""

from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from typing import Any

from profiles.tables import own, sheets
from profiles.tables.hardware import DeviceSpec, ServerSpec, parse
from scenarios.shell.names import unknown

Codec = Mapping[str, Any]
"""A codec as configured: `name` in the results, `chain`, and the chain's options."""


def names(group: str) -> list[str]:
    """The files of conf/GROUP.

    Raises:
        ValueError: no such group.
    """
    try:
        folder = resources.files(f"conf.{group}")
        return sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".yaml"))
    except ModuleNotFoundError:
        allowed = "codec, device, link, model, request, scheme, server or workload"
        raise ValueError(f"group must be {allowed}, got {group!r}") from None


def read(group: str, name: str) -> dict[str, Any]:
    """The content of conf/GROUP/NAME.yaml, and below it that of the files it is based on; of a
    network of the user (FILE.py:FUNCTION) what such a file would say.

    Raises:
        ValueError: no such file, with the nearest names.
    """
    if group in own.GROUPS and own.is_own(name):
        return own.sheet(name, group)
    if name not in (known := names(group)):
        raise ValueError(unknown(group, name, known))
    content = sheets.read(resources.files(f"conf.{group}") / f"{name}.yaml")
    based_on = content.pop("defaults", [])
    base = [read(group, one) for one in based_on if isinstance(one, str) and one != "_self_"]
    return {key: value for each in (*base, content) for key, value in each.items()}


def brought(scheme: str) -> dict[str, str]:
    """What conf/scheme/NAME.yaml chooses in other groups, by group: {"codec": "prior"}.

    Nothing of a scheme of the user, nor of one that there is not.
    """
    if scheme not in names("scheme"):
        return {}
    content = sheets.read(resources.files("conf.scheme") / f"{scheme}.yaml")
    chosen = [one for one in content.get("defaults", []) if isinstance(one, dict)]
    each = {key: str(value) for one in chosen for key, value in one.items()}
    return {key.removeprefix("override /").partition("@")[0]: each[key] for key in each}


def codecs(choice: str = "all") -> dict[str, Codec]:
    """The codecs that are compared unless others are named, by name: a file of conf/methods."""
    content = sheets.read(resources.files("conf.methods") / f"{choice}.yaml")
    named = [name for one in content["defaults"] if isinstance(one, dict) for name in one.values()]
    return {name: read("codec", name) for name in named}


def server_facts(name: str) -> ServerSpec:
    """The data sheet of a server, without its way of serving."""
    own = {item.name for item in fields(ServerSpec)}
    content = read("server", name)
    return parse(ServerSpec, {key: value for key, value in content.items() if key in own})


def device_sheet(name: str) -> DeviceSpec:
    """The data sheet of a device class."""
    return parse(DeviceSpec, read("device", name))
