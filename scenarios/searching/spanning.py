"""Which options a search over a scheme has: the axes of `over`, every combination of them measured.

Without `over` they are all its cuts, all codecs (its own among them) and the values of its knobs,
as far as the command line leaves them open. All on the device ("output") is no split of a scheme;
`over=[cut=A,output]` takes it in.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from profiles.tables.split import Split
from scenarios.searching.schemes import SchemeTables, Way
from scenarios.sweep.axes import Axis, typed_keys
from scenarios.systems import sheets
from scenarios.systems.axes import axes_over, knobs
from scenarios.systems.damage import channel_of
from scenarios.systems.library import Library
from scenarios.systems.plain import name_of
from scenarios.systems.schemed import Schemed, make

_FIELD = "over"
_OWN = "scheme."


class _Point(NamedTuple):
    """A value for every axis, the configuration that they make, and the option that it is, or why
    it is none.
    """

    values: Mapping[str, Any]
    config: Any
    refusal: str = ""
    way: Way | None = None


def find_scheme_tables(config: Any) -> SchemeTables:
    """The options of a scheme that `over` spans, measured here or read.

    Raises:
        ValueError: what `over` may not choose, a value of it that is refused whatever else is
            chosen, answers that nobody knows, or less than two options.
    """
    axes = _axes(config)
    points = [_resolve(config, dict(chosen)) for chosen in _combine(axes)]
    points = _measure(points)
    _tell_refused(config, points)
    ways: dict[Split, Way] = {}
    for way in (point.way for point in points if point.way is not None):
        ways.setdefault(_label(way), way)
    tables = SchemeTables(scheme=name_of(config), ways=ways)
    if len(ways) < 2:
        name = name_of(config)
        raise ValueError(
            f"scheme={name} has nothing to search here but {tables.say(next(iter(ways)))};"
            f" splitfleet plan scheme={name} says how many devices that serves"
        )
    return tables


def _axes(config: Any) -> list[Axis]:
    """What is chosen."""
    for key in (text.split("=", 1)[0] for text in config.over):
        if key not in ("cut", "codec") and not key.startswith(_OWN):
            raise ValueError(f"{_FIELD}: a search chooses cut, codec and {_OWN}OPTION, got {key}")
    return axes_over(config, config.over or _usual(config), _FIELD)


def _usual(config: Any) -> list[str]:
    """All that is open, as axes."""
    scheme, typed = make(config), typed_keys()
    own = str(config.codec["name"])
    texts = {"cut": "cut"}
    if not scheme.branches:  # they bring their codecs with them
        texts["codec"] = f"codec={','.join(dict.fromkeys([own, *scheme.brings, *config.codecs]))}"
    texts |= {f"{_OWN}{key}": f"{_OWN}{key}" for key in knobs(config)}
    return [text for key, text in texts.items() if key not in typed]


def _combine(axes: Sequence[Axis]) -> Iterable[tuple[tuple[str, Any], ...]]:
    return product(*([(axis.key, value) for value in axis.values] for axis in axes))


def _resolve(config: Any, values: Mapping[str, Any]) -> _Point:
    """The configuration of a combination."""
    own = {key.removeprefix(_OWN): v for key, v in values.items() if key.startswith(_OWN)}
    fields: dict[str, Any] = {"scheme": {**config.scheme, **own}}
    if "cut" in values:
        fields["cut"] = values["cut"]
    if "codec" in values:
        name = str(values["codec"])
        fields["codec"] = config.codecs.get(name) or sheets.read("codec", name)
    return _Point(values, replace(config, **fields))


def _measure(points: Sequence[_Point]) -> list[_Point]:
    """The combinations with what is known of each, or what it was refused for.

    Raises:
        ValueError: variants that are asked unlike questions.
    """
    library = Library([])
    told = [_check(point, library) for point in points]
    variants: dict[str, list[_Point]] = {}
    for point in told:
        if not point.refusal:
            variants.setdefault(repr(point.config.scheme), []).append(point)
    if len({library.asked(each[0].config) for each in variants.values()}) > 1:
        chosen = ", ".join(key for key in points[0].values if key.startswith(_OWN))
        raise ValueError(
            f"{_FIELD}: {chosen} changes what is asked, so that the answers cannot be compared;"
            " search each value alone"
        )
    found = {id(one): known for group in variants.values() for one, known in _know(group, library)}
    return [point if point.refusal else _judge(point, found[id(point)]) for point in told]


def _check(point: _Point, library: Library) -> _Point:
    """A combination with why it is none, as far as that is known before anything is measured."""
    try:
        library.check(point.config)
    except ValueError as error:
        return point._replace(refusal=str(error))
    return point


def _know(
    points: Sequence[_Point], library: Library
) -> Iterator[tuple[_Point, Schemed | ValueError]]:
    """What is known of combinations of one variant: of all together, or where one of them cannot
    be, codec by codec, and at last one by one.
    """
    try:
        known = library.measured_together([point.config for point in points])
    except ValueError as error:
        if len(points) == 1:
            yield points[0], error
            return
        parts: dict[str, list[_Point]] = {}
        for point in points:
            parts.setdefault(str(point.config.codec["name"]), []).append(point)
        for part in parts.values() if len(parts) > 1 else ([one] for one in points):
            yield from _know(part, library)
        return
    assert isinstance(known, Schemed)
    yield from ((point, known) for point in points)


def _judge(point: _Point, known: Schemed | ValueError) -> _Point:
    """A combination as an option, or why it is none."""
    try:
        if isinstance(known, ValueError):
            raise known
        way = _way(point, known.over(channel_of(point.config)))
        way.known.source(way.split, point.config.device, point.config.server)
    except ValueError as error:
        return point._replace(refusal=str(error))
    return point._replace(way=way)


def _way(point: _Point, known: Schemed) -> Way:
    config = point.config
    split = known.split(config.cut, str(config.codec["name"]))
    if np.isnan(known.right(split)).any():
        raise ValueError(f"a search compares answers with labels; {known.model} gives none")
    chosen = {k.removeprefix(_OWN): v for k, v in point.values.items() if k.startswith(_OWN)}
    return Way(known, split, chosen)


def _label(way: Way) -> Split:
    """A name of its own: whatever the codec, an option that sends nothing is one."""
    setting = "none" if way.split.cut == "output" else way.split.setting
    chosen = [f"{key} {value}" for key, value in way.chosen.items()]
    return Split(way.split.cut, ", ".join([setting, *chosen]))


def _tell_refused(config: Any, points: Sequence[_Point]) -> None:
    """Say why, where a value that the user named is refused whatever else is chosen.

    Raises:
        ValueError: the refusal; where nothing is left, the one that is met most often.
    """
    sound = [point for point in points if not point.refusal]
    refused = [point for point in points if point.refusal]
    named = [text.split("=", 1)[0] for text in config.over if "=" in text]
    for point in refused:
        for key in named:
            if not any(one.values[key] == point.values[key] for one in sound):
                raise ValueError(f"{_FIELD}: {key}={point.values[key]}: {point.refusal}")
    if not sound:
        raise ValueError(Counter(point.refusal for point in refused).most_common(1)[0][0])
