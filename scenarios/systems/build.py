"""A configuration and what is measured become the case that `sim` plays.

The one place that knows of alternatives, of groups with devices of their own and of requests by
hand; what answers once and what generates tokens differ in `Measured` alone.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from profiles.tables.hardware import DeviceSpec
from profiles.tables.split import Split
from scenarios.sweep.axes import Point
from scenarios.sweep.play import Job, failing
from scenarios.systems.by_hand import Own
from scenarios.systems.case import Case, file_digests, identify
from scenarios.systems.damage import channel_of
from scenarios.systems.measured import About, Measured
from scenarios.systems.plain import is_plain, name_in_row, name_of
from scenarios.systems.prices import prices_of
from scenarios.systems.scenario import Scenario, add_power, system_spec
from scenarios.systems.sheets import Codec, device_sheet, read
from sim.devices.replay import with_recorded_sizes
from sim.specs import AdaptSpec, GroupSpec, SystemSpec

_WEAKER = ("measured", "published", "assumed", "scaled", "modelled", "random")


class Choice(NamedTuple):
    """A cut and a codec as configured, and how a row calls the codec."""

    cut: str
    codec: Codec
    called: str


class Use(NamedTuple):
    """What the devices of one group are, and their splits by name of the source, their own first.

    A single split is named like the group. `policy` and `adapt` say how a device chooses among
    several; None: as the group's own spec says.
    """

    device: DeviceSpec
    splits: Mapping[str, Split]
    policy: str | None = None
    adapt: AdaptSpec | None = None


def choices(config: Any) -> dict[str, Choice]:
    """The cuts and codecs that a configuration names: by group, by alternative, or its own alone.

    Raises:
        ValueError: groups and members that do not go together, an alternative that is no
            CUT/CODEC, an unknown codec, the same way twice.
    """
    if config.members:
        if set(config.members) != set(config.fleet.groups):
            raise ValueError(
                "members must be those of fleet.groups"
                f" ({', '.join(config.fleet.groups) or 'none'}), got {', '.join(config.members)}"
            )
        return {
            name: Choice(member.cut, read("codec", member.codec), member.codec)
            for name, member in config.members.items()
        }
    own = Choice(config.cut, config.codec, str(config.codec["name"]))
    named = [(own.cut if own.cut == "output" else f"{own.cut}/{own.called}", own)]
    named += [(text, _alternative(text, own)) for text in config.alternatives]
    names = [name for name, _ in named]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"alternatives must differ from cut and codec, got {twice} twice")
    return dict(named)


def _alternative(text: str, own: Choice) -> Choice:
    cut, slash, codec = text.partition("/")
    if cut != "output" and not (slash and codec):
        raise ValueError(f"alternatives must be CUT/CODEC or output, got {text!r}")
    chosen = read("codec", codec) if codec else own.codec
    return Choice(cut, chosen, str(chosen["name"]))


def case(
    config: Any,
    measured: Measured,
    *,
    split: Split | None = None,
    uses: Mapping[str, Use] | None = None,
    named: Mapping[str, Any] | None = None,
    **labels: Any,
) -> Case:
    """The case that a configuration describes, or that of all devices at one `split`.

    Args:
        config: a `System`; with `split` or `uses` any `Scenario` will do.
        measured: what its requests cost and answer.
        split: what every device does, whatever the configuration says.
        uses: what every group does, whatever the configuration says.
        named: what names its point besides the configuration.
        labels: further columns, or other values of the usual ones.

    Raises:
        ValueError: a cut, codec or machine that the tables do not hold, prices in two currencies.
    """
    if uses is None:
        uses, named, labels = _uses(config, measured, split, named, labels)
    measured = measured.over(channel_of(config))
    known = {
        (name, key): measured.about(split, use.device, config.server)
        for name, use in uses.items()
        for key, split in use.splits.items()
    }
    spec, sources = _system(config, uses), {key: one.source for (_, key), one in known.items()}
    every, splits = list(known.values()), [s for use in uses.values() for s in use.splits.values()]
    alone = splits[0] if len(set(splits)) == 1 else None
    identity = {**identify(config), **(named or {})}
    if measured.settings is not None:
        mine = {"scenario": identify(config), "source": measured.settings}
        identity = {**mine, **(named or {})}
    if not is_plain(config):
        identity = {**identity, "scheme": dict(config.scheme)}
    if getattr(config, "transport", ""):
        identity = {**identity, "transport": config.transport}
    provenance = dict(every[0].provenance)
    if getattr(config, "members", None):  # unlike groups: the first one's, and all by name
        provenance["members"] = {name: one.provenance for (name, _), one in known.items()}
    drops = [one.drop for one in every if one.drop is not None]
    memory = [one.memory_bytes for one in every if one.memory_bytes is not None]
    generates = measured.split(splits[0].cut, splits[0].setting).tokens > 0
    return Case(
        spec=spec,
        sources=with_recorded_sizes(spec, sources),
        labels={**_label(config, splits), **_machines(every), **labels},
        identity=identity,
        digests={**measured.digests, **file_digests(config)},
        provenance=provenance,
        kinds={
            key: max((one.kinds[key] for one in every), key=_WEAKER.index) for key in every[0].kinds
        },
        quality=every[0].quality if alone and _is_heard(config, every[0]) else {},
        drop=max(drops, key=lambda drop: drop.hi) if len(drops) == len(every) else None,
        prices=prices_of(config, {name: use.device for name, use in uses.items()}),
        memory_bytes=max(memory) if len(memory) == len(every) else None,
        encoder_bits=every[0].encoder_bits if alone else None,
        too_small=_say_too_small(uses, known),
        largest_batch=min((b for b in (one.largest_batch for one in every) if b), default=None),
        bounded=alone is not None and not generates and config.workload.requests is None,
        forced=config.force,
    )


def job(point: Point, measured: Measured | str, *, graded: bool = False, **how: Any) -> Job:
    """The job of one point of a sweep; one that fails where the point was refused, or where
    `measured` is the reason why nothing could be measured.
    """
    labels = {name: value for name, value in how.items() if name not in ("split", "uses", "named")}
    words = " ".join(f"{key}={value}" for key, value in point.values.items())
    reason = point.error or (measured if isinstance(measured, str) else "")
    if not reason:
        assert isinstance(measured, Measured)
        try:
            made = case(point.config, measured, **how).job(graded=graded)
            return made.at(point.values)
        except ValueError as error:
            reason = str(error)
    return failing(f"{words}: {reason}" if words else reason, labels).at(point.values)


def _is_heard(config: Any, one: About) -> bool:
    """Whether the answers are known as they are behind the link."""
    return not config.link.damages or getattr(one.source, "channel", None) is not None


def _uses(
    config: Any,
    measured: Measured,
    split: Split | None,
    named: Mapping[str, Any] | None,
    labels: Mapping[str, Any],
) -> tuple[dict[str, Use], Mapping[str, Any] | None, dict[str, Any]]:
    """What every group does, what of it names the point, and what it is called."""
    if isinstance(measured, Own):
        return _own(config), named, {"method": "own sources", "codec": "-", **labels}
    groups = list(system_spec(config).fleet.groups)
    if split is not None:
        method = {"method": _called(config, split)}
        return {g: Use(config.device, {g: split}) for g in groups}, named, {**method, **labels}
    chosen = choices(config)
    splits = {name: measured.split(one.cut, str(one.codec["name"])) for name, one in chosen.items()}
    codecs = _join(one.called for one in chosen.values())
    if config.members:
        sheets = {name: device_sheet(member.device) for name, member in config.members.items()}
        each = {name: dataclasses.asdict(member) for name, member in config.members.items()}
        said = {"method": "+".join(chosen), "codec": codecs,
                "device": _join(member.device for member in config.members.values())}  # fmt: skip
        uses = {name: Use(sheets[name], {name: splits[name]}) for name in groups}
        return uses, {**(named or {}), "members": each}, {**said, **labels}
    if config.alternatives:
        ways = {name: dict(one.codec) for name, one in chosen.items()}
        said = {"method": f"{config.policy}: {', '.join(ways)}", "codec": codecs}
        uses = {g: Use(config.device, splits, config.policy) for g in groups}
        more = {**(named or {}), "ways": ways, "policy": config.policy}
        return uses, more, {**said, **labels}
    own = next(iter(splits.values()))
    return _uses(config, measured, own, named, labels)


def _own(config: Scenario) -> dict[str, Use]:
    """The sources that every group names: its own, and those that it may choose instead."""
    named = {
        name: [group.source or name, *group.alternatives]
        for name, group in system_spec(config).fleet.groups.items()
    }
    return {g: Use(config.device, {n: Split("-", n) for n in each}) for g, each in named.items()}


def _system(config: Scenario, uses: Mapping[str, Use]) -> SystemSpec:
    """The spec with every group's power and choices."""
    spec = system_spec(config)
    groups = {
        name: _choosing(name, add_power(group, uses[name].device), uses[name])
        for name, group in spec.fleet.groups.items()
    }
    return replace(spec, fleet=replace(spec.fleet, groups=groups))


def _choosing(name: str, group: GroupSpec, use: Use) -> GroupSpec:
    own, *others = use.splits
    if own == name and not others:
        return group
    chosen: dict[str, Any] = {"source": own, "alternatives": others}
    if use.policy is not None and group.policy == "fixed":
        chosen["policy"] = use.policy
    if use.adapt is not None:
        chosen["adapt"] = use.adapt
    return replace(group, **chosen)


def _label(config: Any, splits: Sequence[Split]) -> dict[str, Any]:
    """The columns that say what a point is."""
    by_hand = splits[0].cut == "-"
    settings = [s.setting if s.cut != "output" or len(splits) > 1 else "none" for s in splits]
    return {
        "method": _called(config, splits[0]),
        "n_devices": config.fleet.n_devices,
        "model": "-" if by_hand else config.model.name,
        "cut": _join(split.cut for split in splits),
        "scheme": name_in_row(config, [split.setting for split in splits]),
        "codec": _join(settings),
        "device": "-" if by_hand else config.device.name,
        "link": config.link.name,
        "server": "-" if by_hand else config.server.name,
        "seed": config.seed,
    }


def _say_too_small(uses: Mapping[str, Use], known: Mapping[tuple[str, str], About]) -> str:
    """Which device cannot hold what it is to run; empty where all can, or nobody knows."""
    for (name, _), one in known.items():
        device = uses[name].device
        need, has = one.memory_bytes, device.memory_bytes
        if need is not None and has is not None and need > has:
            return f"{device.name} has {has / 1e9:.3g} GB, its part takes {need / 1e9:.3g} GB"
    return ""


def _machines(every: Sequence[About]) -> dict[str, str]:
    """Whose seconds the roles of all groups take."""
    columns = dict.fromkeys(name for one in every for name in one.machines)
    return {name: _join(one.machines[name] for one in every if one.machines) for name in columns}


def _called(config: Any, split: Split) -> str:
    """What a row calls a system: its scheme, if it is more than a cut and a codec, and those."""
    return _method(split) if is_plain(config) else f"{name_of(config)}, {_method(split)}"


def _method(split: Split) -> str:
    if split.cut == "-":
        return "by hand"
    return split.cut if split.cut == "output" else f"{split.cut} {split.setting}"


def _join(names: Iterable[str]) -> str:
    return "+".join(dict.fromkeys(map(str, names)))
