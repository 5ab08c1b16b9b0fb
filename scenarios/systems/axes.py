"""Axes over systems: what `plan.over` and a search's `over` choose among, spelled out.

A key without values takes all that are known: the cuts of a network or a scheme, codecs, links,
batches, the values of a scheme's option that there are weights for.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from scenarios.shell.names import unknown
from scenarios.sweep.axes import Axis, axes_of
from scenarios.systems import sheets
from scenarios.systems.answers import CACHE
from scenarios.systems.plain import CODECS, PLAIN, is_plain, name_of
from scenarios.systems.schemed import cuts_of, make

SCHEME = "scheme"
_NO_SYSTEM = (
    "slo", "plan", "name", "seed", "workers", "horizon_s", "warmup", "warmup_s", "replications",
    "confidence", "max_events", "sweep", "columns", "dry_run", "force", "methods", "codecs", "live",
    "fleet.n_devices",
)  # fmt: skip
"""Fields that a system does not consist of: what is asked of it, how long, under which name."""

_BY_HAND = ("model", "scheme", "cut", "codec", "device")
_BY_MEMBER = ("cut", "codec", "device")


def axes_over(config: Any, over: Sequence[str], field: str) -> list[Axis]:
    """The axes that the texts of a configuration's `field` span, with all their values.

    Raises:
        ValueError: an axis that no field or group has, that the command line fixes, or that
            changes no system.
    """
    axes = axes_of([_spell_out(config, text, field) for text in over])
    fixed = {text.split("=", 1)[0] for text in over} - {axis.key for axis in axes}
    if fixed:
        raise ValueError(
            f"{field} chooses {', '.join(sorted(fixed))}, which the command line fixes; leave one"
        )
    for axis in axes:
        _check(config, axis, field)
    return axes


def cuts(config: Any) -> list[str]:
    """Every cut but "output" of a network, or those at which a scheme is one."""
    if is_plain(config):
        return ["input", *config.model.subject(CACHE).stages]
    return cuts_of(make(config))


def _check(config: Any, axis: Axis, field: str) -> None:
    """Refuse an axis along which every system is the same."""
    key = axis.key
    if any(key == name or key.startswith(f"{name}.") for name in _NO_SYSTEM):
        raise ValueError(f"{field}: {key} changes no system, got {_text(axis)}; leave it out")
    for given, without, names in (
        (config.request is not None, "request by hand", _BY_HAND),
        (bool(config.members), "members (choose members.NAME.cut and so on)", _BY_MEMBER),
    ):
        if given and key.split(".", 1)[0] in names:
            raise ValueError(f"{field}: {key} changes nothing with {without}, got {_text(axis)}")


def _text(axis: Axis) -> str:
    return ",".join(map(str, axis.values))


def _spell_out(config: Any, text: str, field: str) -> str:
    """`text` with all that are known of an axis without values."""
    if "=" in text:
        return text
    known: dict[str, Callable[[], list[str]]] = {
        # not "output": with everything on the devices no number of them is too large
        SCHEME: lambda: _schemes(config),
        "cut": lambda: cuts(config),
        "codec": lambda: list(config.codecs),
        "server.max_batch": lambda: [str(size) for size in config.model.batches],
        "link": lambda: [name for name in sheets.names("link") if name != "ideal"],
    }
    known |= {f"{SCHEME}.{key}": partial(list, each) for key, each in knobs(config).items()}
    if text not in known:
        raise ValueError(f"{unknown(f'axis of {field}', text, known)}; others need KEY=A,B")
    return f"{text}={','.join(known[text]())}"


def knobs(config: Any) -> dict[str, list[str]]:
    """The options of a scheme that trade bytes, seconds and right answers, with their values."""
    if is_plain(config):
        return {}
    from profiles import schemes

    options = {key: value for key, value in config.scheme.items() if key != "name"}
    found = schemes.knobs(name_of(config), config.model.name, options)
    return {key: [f"{value}" for value in values] for key, values in found.items()}


def _schemes(config: Any) -> list[str]:
    """All that answer these data; where there is a network for them, that as it is, too, and under
    the codecs that are schemes unless all codecs are spanned.
    """
    from profiles import models, schemes

    model = config.model.name
    trained = list(schemes.comparable(model))
    if model in models.FOR_SCHEMES:
        return trained
    return [PLAIN, *([] if "codec" in config.plan.axes else CODECS), *trained]
