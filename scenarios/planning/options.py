"""Options: the systems that `plan.over` spans, each with what was chosen on every axis."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from scenarios.shell.names import unknown
from scenarios.sweep.axes import Axis, axes_of, points
from scenarios.systems import sheets
from scenarios.systems.answers import CACHE
from scenarios.systems.schemed import is_plain, make

_NO_SYSTEM = (
    "slo", "plan", "name", "seed", "workers", "horizon_s", "warmup", "warmup_s", "replications",
    "confidence", "max_events", "sweep", "columns", "dry_run", "force", "methods", "codecs", "live",
    "fleet.n_devices",
)  # fmt: skip
"""Fields that a system does not consist of: what is asked of it, how long, under which name."""

_BY_HAND = ("model", "cut", "codec", "device")
_BY_MEMBER = ("cut", "codec", "device")


class Option(NamedTuple):
    """One configuration, and the value of every axis that led to it."""

    values: Mapping[str, Any]
    config: Any


def options(config: Any) -> list[Option]:
    """The configurations that `plan.over` spans; a key without values takes all that are known.

    Raises:
        ValueError: an axis that no field or group has, that the command line fixes, or that
            changes no system; a value that its field refuses.
    """
    axes = axes_of([_spell_out(config, text) for text in config.plan.over])
    fixed = set(config.plan.axes) - {axis.key for axis in axes}
    if fixed:
        raise ValueError(
            f"plan.over chooses {', '.join(sorted(fixed))}, which the command line fixes; leave one"
        )
    for axis in axes:
        _check(config, axis)
    base = config
    if "server.max_batch" in config.plan.axes and config.server.discipline == "fifo":
        base = replace(config, server=replace(config.server, discipline="take_all"))
    return list(_sound(base, axes))


def _sound(base: Any, axes: list[Axis]) -> Iterator[Option]:
    for point in points(base, axes):
        if point.error:
            chosen = ", ".join(f"{key}={value}" for key, value in point.values.items())
            raise ValueError(f"plan.over: {chosen}: {point.error}")
        yield Option({key: point.values[key] for key in base.plan.axes}, point.config)


def _check(config: Any, axis: Axis) -> None:
    """Refuse an axis along which every system is the same."""
    key = axis.key
    if any(key == name or key.startswith(f"{name}.") for name in _NO_SYSTEM):
        raise ValueError(f"plan.over: {key} changes no system, got {_text(axis)}; leave it out")
    for given, without, names in (
        (config.request is not None, "request by hand", _BY_HAND),
        (bool(config.members), "members (choose members.NAME.cut and so on)", _BY_MEMBER),
    ):
        if given and key.split(".", 1)[0] in names:
            raise ValueError(f"plan.over: {key} changes nothing with {without}, got {_text(axis)}")


def _text(axis: Axis) -> str:
    return ",".join(map(str, axis.values))


def _spell_out(config: Any, text: str) -> str:
    """`text` with all that are known of an axis without values."""
    if "=" in text:
        return text
    known: dict[str, Callable[[], list[str]]] = {
        # not "output": with everything on the devices no number of them is too large
        "cut": lambda: _cuts(config),
        "codec": lambda: list(config.codecs),
        "server.max_batch": lambda: [str(size) for size in config.model.batches],
        "link": lambda: [name for name in sheets.names("link") if name != "ideal"],
    }
    if text not in known:
        raise ValueError(f"{unknown('axis of plan.over', text, known)}; others need KEY=A,B")
    return f"{text}={','.join(known[text]())}"


def _cuts(config: Any) -> list[str]:
    """Every cut but "output" of a network, or those at which a scheme is one."""
    if is_plain(config):
        return ["input", *config.model.subject(CACHE).stages]
    scheme = make(config)
    return list(scheme.cuts[scheme.cuts.index(scheme.first_cut) : -1])
