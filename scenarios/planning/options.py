"""Options: the systems that `plan.over` spans, each with what was chosen on every axis.

Along `scheme` every scheme has cuts of its own, and answers the same task on the same data; what
one of them cannot be is told of that one alone. Along `codec` a scheme that brings its codec is
taken under that one, unless the user names others; one that reads no other, under its own alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from scenarios.shell.names import unknown
from scenarios.sweep.axes import Axis, axes_of, keep, points
from scenarios.systems import sheets
from scenarios.systems.answers import CACHE
from scenarios.systems.plain import CODECS, PLAIN, is_plain, name_of
from scenarios.systems.schemed import answer_task, cuts_of, make

_NO_SYSTEM = (
    "slo", "plan", "name", "seed", "workers", "horizon_s", "warmup", "warmup_s", "replications",
    "confidence", "max_events", "sweep", "columns", "dry_run", "force", "methods", "codecs", "live",
    "fleet.n_devices",
)  # fmt: skip
"""Fields that a system does not consist of: what is asked of it, how long, under which name."""

_BY_HAND = ("model", "scheme", "cut", "codec", "device")
_BY_MEMBER = ("cut", "codec", "device")
_SCHEME, _CODEC = "scheme", "codec"


class Option(NamedTuple):
    """One configuration, and the value of every axis that led to it; or why it is none."""

    values: Mapping[str, Any]
    config: Any
    refusal: str = ""


def options(config: Any) -> list[Option]:
    """The configurations that `plan.over` spans; a key without values takes all that are known.

    Raises:
        ValueError: an axis that no field or group has, that the command line fixes, or that
            changes no system; a value that its field refuses, unless schemes are chosen among.
    """
    if _SCHEME not in config.plan.axes:
        return list(_sound(_batching(config), _axes(config, config.plan.over)))
    text = next(one for one in config.plan.over if one.split("=", 1)[0] == _SCHEME)
    others = [one for one in config.plan.over if one != text]
    (schemes,) = _axes(config, [text])
    return [each for name in schemes.values for each in _of_scheme(config, str(name), others)]


def _axes(config: Any, over: Sequence[str]) -> list[Axis]:
    """The axes in full."""
    axes = axes_of([_spell_out(config, text) for text in over])
    fixed = {text.split("=", 1)[0] for text in over} - {axis.key for axis in axes}
    if fixed:
        raise ValueError(
            f"plan.over chooses {', '.join(sorted(fixed))}, which the command line fixes; leave one"
        )
    for axis in axes:
        _check(config, axis)
    return axes


def _batching(config: Any) -> Any:
    """The configuration, its server taking what waits where the size of a batch is chosen."""
    if "server.max_batch" in config.plan.axes and config.server.discipline == "fifo":
        return replace(config, server=replace(config.server, discipline="take_all"))
    return config


def _sound(base: Any, axes: list[Axis]) -> Iterator[Option]:
    for point in points(base, axes):
        if point.error:
            chosen = ", ".join(f"{key}={value}" for key, value in point.values.items())
            raise ValueError(f"plan.over: {chosen}: {point.error}")
        yield Option({key: point.values[key] for key in base.plan.axes}, point.config)


def _of_scheme(config: Any, name: str, others: Sequence[str]) -> Iterator[Option]:
    """The options of one scheme, at its own cuts, answering `plan.task` on the data that are
    asked for; or why there are none.
    """
    chosen = Axis(_SCHEME, (name,), is_group=True)
    try:
        (point,) = points(config, keep("model", [chosen]))
        if point.error:
            raise ValueError(point.error)
        own = answer_task(point.config, config.plan.task)
        known, texts = _codecs(own, others)
        spanned = list(points(_batching(own), keep("model", [chosen, *_axes(own, texts)])))
    except ValueError as error:
        yield Option({_SCHEME: name}, config, str(error))
        return
    for point in spanned:
        values = {key: {**known, **point.values}[key] for key in config.plan.axes}
        options = {**point.config.scheme, **_tasks(own)}
        yield Option(values, replace(point.config, scheme=options), point.error)


def _codecs(own: Any, texts: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The axes of a scheme without that of the codec where it reads none but its own, and which
    that is; where all codecs are meant and it brings one, that one alone.
    """
    name, only = name_of(own), ""
    if name in CODECS:
        only = str(own.codec["name"])
    elif not is_plain(own) and (branches := make(own).branches):
        only = str(branches[0].codec.name)
    if only:
        kept = [text for text in texts if text.split("=", 1)[0] != _CODEC]
        return ({_CODEC: only} if len(kept) < len(texts) else {}), kept
    brought = sheets.brought(name).get(_CODEC)
    return {}, [f"{_CODEC}={brought}" if text == _CODEC and brought else text for text in texts]


def _tasks(config: Any) -> dict[str, Any]:
    return {key: value for key, value in config.scheme.items() if key == "tasks"}


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
        _SCHEME: lambda: _schemes(config),
        "cut": lambda: _cuts(config),
        _CODEC: lambda: list(config.codecs),
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
    return cuts_of(make(config))


def _schemes(config: Any) -> list[str]:
    """All that answer these data; where there is a network for them, that as it is, too, and under
    the codecs that are schemes unless all codecs are spanned.
    """
    from profiles import models, schemes

    model = config.model.name
    trained = list(schemes.comparable(model))
    if model in models.FOR_SCHEMES:
        return trained
    return [PLAIN, *([] if _CODEC in config.plan.axes else CODECS), *trained]
