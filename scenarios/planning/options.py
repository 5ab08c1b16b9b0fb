"""Options: the systems that `plan.over` spans, each with what was chosen on every axis.

Along `scheme` every scheme has cuts of its own, and answers the same task; what one of them cannot
be is told of that one alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from scenarios.sweep.axes import Axis, points
from scenarios.systems.axes import SCHEME, axes_over
from scenarios.systems.schemed import answer_task

_FIELD = "plan.over"


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
        return list(_sound(_batching(config), axes_over(config, config.plan.over, _FIELD)))
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
    for point in points(base, axes):
        if point.error:
            chosen = ", ".join(f"{key}={value}" for key, value in point.values.items())
            raise ValueError(f"plan.over: {chosen}: {point.error}")
        yield Option({key: point.values[key] for key in base.plan.axes}, point.config)


def _of_scheme(config: Any, name: str, others: Sequence[str]) -> Iterator[Option]:
    """The options of one scheme, at its own cuts, answering `plan.task`; or why there are none."""
    chosen = Axis(SCHEME, (name,), is_group=True)
    try:
        (point,) = points(config, [chosen])
        if point.error:
            raise ValueError(point.error)
        own = answer_task(point.config, config.plan.task)
        spanned = list(points(_batching(own), [chosen, *axes_over(own, others, _FIELD)]))
    except ValueError as error:
        yield Option({SCHEME: name}, config, str(error))
        return
    for point in spanned:
        values = {key: point.values[key] for key in config.plan.axes}
        options = {**point.config.scheme, **_tasks(own)}
        yield Option(values, replace(point.config, scheme=options), point.error)


def _tasks(config: Any) -> dict[str, Any]:
    return {key: value for key, value in config.scheme.items() if key == "tasks"}
