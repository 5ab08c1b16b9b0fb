"""Parts: what a script names becomes a `System`: sheets of conf/, own values, dotted keys."""

import dataclasses
from collections.abc import Collection, Mapping
from importlib import resources
from typing import Any, get_type_hints

from profiles.tables import sheets as files
from profiles.tables.hardware import DeviceSpec
from scenarios.shell.names import unknown
from scenarios.shell.schema import check_key, field_names, replace_all, spec_type
from scenarios.systems import sheets
from scenarios.systems.answers import DEFAULT_CUT
from scenarios.systems.by_hand import Request
from scenarios.systems.generations import Session
from scenarios.systems.scenario import Link, Model, Server
from scenarios.systems.system import Member, System
from sim.specs import FleetSpec, GroupSpec, LinkSpec, ServerSpec, SystemSpec, WorkloadSpec

_KINDS: Mapping[str, Any] = {
    "device": DeviceSpec, "link": Link, "model": Model, "server": Server, "workload": WorkloadSpec,
}  # fmt: skip
_DEFAULTS = {
    "model": "scenes", "device": "raspberry_pi_4", "server": "xeon", "link": "wifi",
    "workload": "closed",
}  # fmt: skip
_CODEC = "slicer"
_NO_DEVICE = "unknown"
"""The sheet of requests by hand, unless a device is named: nobody knows what power they draw."""
_OF_COMMANDS = ("name", "sweep", "columns", "workers", "dry_run", "force", "fleet")
_KNOWN = [name for name in field_names(System) if name not in _OF_COMMANDS]
_PARTS = ["split", "n_devices", "groups", *_KNOWN]


def sheet(group: str, name: str, **changes: Any) -> Any:
    """The sheet conf/GROUP/NAME.yaml, with other values where given.

    Raises:
        ValueError: an unknown name or field, with the nearest ones, or a bad value.
    """
    content = {**sheets.read(group, name), **changes}
    return make(_KINDS[group], content, group) if group in _KINDS else content


def make(kind: Any, values: Any, where: str) -> Any:
    """A spec of the fields in a mapping, the specs within it likewise; anything else as it is.

    Raises:
        ValueError: an unknown field, with the nearest ones, one that is missing, or a bad value.
    """
    if kind is None or not isinstance(values, Mapping):
        return values
    hints = get_type_hints(kind)
    check(f"field of {where}", values, field_names(kind))
    for item in dataclasses.fields(kind):
        required = item.default is dataclasses.MISSING is item.default_factory
        if required and item.name not in values:
            raise ValueError(f"{where} needs {item.name}, got {', '.join(values) or 'nothing'}")
    inner = {name: make(spec_type(hints[name]), each, name) for name, each in values.items()}
    return kind(**inner)


def check(what: str, names: Collection[str], known: Collection[str]) -> None:
    """Raise ValueError, with the nearest ones, at the first of `names` that is not known."""
    for name in names:
        if name not in known:
            raise ValueError(unknown(what, name, known))


def check_axis(name: str, values: Any, config: System) -> None:
    """Raise ValueError where a sweep cannot run along this."""
    if "." in name:
        check_key(config, name)
    else:
        check("part of a case", [name], _PARTS)
    if isinstance(values, str | Mapping) or not isinstance(values, Collection) or not len(values):
        raise ValueError(f"{name} must be a list of values to sweep over, got {values!r}")


def system(given: Mapping[str, Any]) -> System:
    """The configuration that a script describes.

    Raises:
        ValueError: an unknown part, name or field, with the nearest ones, or a bad value.
    """
    dotted = {key: value for key, value in given.items() if "." in key}
    brought = _brought(given.get("scheme"))
    encoder = brought.pop("codec", None)
    parts = {**_DEFAULTS, **brought, **{k: v for k, v in given.items() if k not in dotted}}
    if parts.get("request") is not None and "device" not in given:
        parts["device"] = _NO_DEVICE
    check("part of a case", parts, _PARTS)
    default = f"{DEFAULT_CUT}/{encoder or _CODEC}"
    cut, codec = _split(parts.pop("split", default), parts.get("codec"), encoder)
    parts = {"cut": cut, **parts, "codec": codec}
    for name in _KINDS:
        parts[name] = _part(name, parts[name])
    if isinstance(parts.get("scheme"), str):
        parts["scheme"] = sheets.read("scheme", parts["scheme"])
    groups = _named(GroupSpec, parts.pop("groups", {}), "groups")
    n_devices = parts.pop("n_devices", 1)
    if isinstance(n_devices, float) and n_devices.is_integer():
        n_devices = int(n_devices)
    fleet = FleetSpec(n_devices=n_devices, groups=groups)
    parts["members"] = _named(Member, parts.pop("members", {}), "members")
    for name, kind in (("session", Session), ("request", Request)):
        if name in parts:
            parts[name] = make(kind, parts[name], name)
    ways = parts.get("alternatives", [])
    if not isinstance(ways, list | tuple) or not all(isinstance(way, str) for way in ways):
        raise ValueError(f"alternatives must be a list of CUT/CODEC or output, got {ways!r}")
    config = System(**parts, fleet=fleet)
    return replace_all(config, dotted) if dotted else config


def of_spec(spec: SystemSpec) -> dict[str, Any]:
    """A spec of `sim` as the parts of a case."""
    parts = {name: getattr(spec, name) for name in field_names(SystemSpec) if name != "fleet"}
    return {**parts, "n_devices": spec.fleet.n_devices, "groups": spec.fleet.groups}


def of_command(name: str) -> dict[str, Any]:
    """How long a run lasts unless a case says so: conf/NAME.yaml."""
    content = files.read(resources.files("conf") / f"{name}.yaml")
    return {key: content[key] for key in ("warmup_s", "horizon_s") if key in content}


def _part(group: str, part: Any) -> Any:
    """A sheet by its name, a spec of `sim` with what a sheet says besides, or as it is."""
    kind = _KINDS[group]
    if isinstance(part, str):
        return sheet(group, part)
    if type(part) is LinkSpec:
        return Link(**vars(part))
    if type(part) is ServerSpec:
        base = sheet("server", "xeon")
        own = dict.fromkeys(("power_idle_w", "power_busy_w"), "the script's own spec")
        sources = {**base.sources, **own}
        return dataclasses.replace(base, name="custom", sources=sources, **vars(part))
    part = make(kind, part, group)
    if not isinstance(part, kind):
        raise ValueError(f"{group} must be a name, or what splitfleet.{group} gives, got {part!r}")
    return part


def _brought(scheme: Any) -> dict[str, str]:
    """What a scheme, by its name or as configured, chooses in other groups."""
    name = scheme.get("name") if isinstance(scheme, Mapping) else scheme
    return sheets.brought(name) if isinstance(name, str) else {}


def _split(split: Any, codec: Any, brought: str | None) -> tuple[str, dict[str, Any]]:
    """Cut and codec of "stage3/ecsq", "output", or a pair; `codec` wins where it is given, that
    which the scheme brings is taken where none is.
    """
    if isinstance(split, str):
        cut, _, name = split.partition("/")
        split = (cut, name or codec or brought or (_CODEC if cut == "output" else None))
    if not isinstance(split, tuple | list) or len(split) != 2 or not all(split):
        raise ValueError(f"split must be CUT/CODEC, output, or a pair of them, got {split!r}")
    chosen = codec or split[1]
    return split[0], sheets.read("codec", chosen) if isinstance(chosen, str) else dict(chosen)


def _named(kind: Any, each: Any, where: str) -> dict[str, Any]:
    """Specs by name."""
    if not isinstance(each, Mapping):
        raise ValueError(f"{where} must be a dict by name, got {each!r}")
    return {name: make(kind, one, f"{where}.{name}") for name, one in each.items()}
