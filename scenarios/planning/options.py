"""Options: the systems that `plan.over` spans, each with what was chosen on every axis.

Along `scheme` every scheme has cuts of its own, and answers the same task on the same data; what
one of them cannot be is told of that one alone. Along `codec` a scheme that brings its codec is
taken under that one, unless the user names others; one that reads no other, under its own alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from scenarios.sweep.axes import Axis, keep, points
from scenarios.systems import sheets
from scenarios.systems.axes import SCHEME, axes_over
from scenarios.systems.plain import CODECS, is_plain, name_of
from scenarios.systems.schemed import answer_task, make

_FIELD = "plan.over"
_CODEC = "codec"


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
    if SCHEME not in config.plan.axes:
        return list(_sound(config, axes_over(config, config.plan.over, _FIELD)))
    text = next(one for one in config.plan.over if one.split("=", 1)[0] == SCHEME)
    others = [one for one in config.plan.over if one != text]
    (schemes,) = axes_over(config, [text], _FIELD)
    return [each for name in schemes.values for each in _of_scheme(config, str(name), others)]


def _batching(config: Any) -> Any:
    """The configuration, its server taking what waits where the size of a batch is chosen."""
    if "server.max_batch" in config.plan.axes and config.server.discipline == "fifo":
        return replace(config, server=replace(config.server, discipline="take_all"))
    return config


def _sound(base: Any, axes: list[Axis]) -> Iterator[Option]:
    for point in points(base, axes, _batching):
        if point.error:
            chosen = ", ".join(f"{key}={value}" for key, value in point.values.items())
            raise ValueError(f"plan.over: {chosen}: {point.error}")
        yield Option({key: point.values[key] for key in base.plan.axes}, point.config)


def _of_scheme(config: Any, name: str, others: Sequence[str]) -> Iterator[Option]:
    """The options of one scheme, at its own cuts, answering `plan.task` on the data that are
    asked for; or why there are none.
    """
    chosen = Axis(SCHEME, (name,), is_group=True)
    try:
        (point,) = points(config, keep("model", [chosen]))
        if point.error:
            raise ValueError(point.error)
        own = answer_task(point.config, config.plan.task)
        known, texts = _codecs(own, others)
        axes = keep("model", [chosen, *axes_over(own, texts, _FIELD)])
        spanned = list(points(own, axes, _batching))
    except ValueError as error:
        yield Option({SCHEME: name}, config, str(error))
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
