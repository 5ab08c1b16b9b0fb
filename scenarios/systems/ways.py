"""Devices that choose per request: the scenario's cut and codec, or one of its alternatives.

An alternative is named CUT/CODEC, as the line of a table would be: stage2/ecsq, input/jpeg; or
"output", everything on the device.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from scenarios.sweep.play import Job
from scenarios.systems.case import file_digests, identity
from scenarios.systems.groups import choice, played
from scenarios.systems.measured import Codec, Measured, measure
from scenarios.systems.scenario import Scenario, system_spec
from sim.sources.source import Source
from sim.specs import GroupSpec, SystemSpec

__all__ = ["Way", "job", "measured", "system", "ways"]


class Way(NamedTuple):
    """One of the things that a device may do: its name, cut and codec."""

    name: str
    cut: str
    codec: Codec


def ways(cut: str, codec: Codec, alternatives: Sequence[str]) -> list[Way]:
    """The scenario's own way first, then the alternatives.

    Raises:
        ValueError: a name without a codec, an unknown codec, the same way twice.
    """
    found = [Way(f"{cut}/{codec['name']}" if cut != "output" else cut, cut, codec)]
    for name in alternatives:
        place, slash, setting = name.partition("/")
        if place != "output" and not (slash and setting):
            raise ValueError(f"alternatives must be CUT/CODEC or output, got {name!r}")
        found.append(Way(name, place, choice("codec", setting) if setting else codec))
    names = [way.name for way in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"alternatives must differ from cut and codec, got {twice[0]} twice")
    return found


def measured(scenario: Scenario, chosen: Sequence[Way]) -> Measured:
    """One table with every codec at every cut that some way uses."""
    codecs = {str(way.codec["name"]): way.codec for way in chosen}
    return measure(
        scenario.model, list(codecs.values()), list(dict.fromkeys(w.cut for w in chosen))
    )


def system(
    scenario: Scenario, known: Measured, chosen: Sequence[Way], policy: str
) -> tuple[SystemSpec, Mapping[str, Source]]:
    """What `sim` plays: every group may go every way, by `policy` unless it names its own."""
    spec = system_spec(scenario)
    sources: dict[str, Source] = {
        way.name: known.source(way.cut, way.codec["name"], scenario.device, scenario.server)
        for way in chosen
    }
    own, *others = sources

    def choosing(group: GroupSpec) -> GroupSpec:
        kind = policy if group.policy == "fixed" else group.policy
        return dataclasses.replace(group, source=own, alternatives=others, policy=kind)

    groups = {name: choosing(group) for name, group in spec.fleet.groups.items()}
    return dataclasses.replace(spec, fleet=dataclasses.replace(spec.fleet, groups=groups)), sources


def job(scenario: Scenario, known: Measured, chosen: Sequence[Way], policy: str) -> Job:
    """The point of `scenario` with these ways."""
    named: dict[str, Any] = {way.name: dict(way.codec) for way in chosen}

    return Job(
        spec={**identity(scenario), "ways": named, "policy": policy},
        digests={**known.digests, **file_digests(scenario)},
        labels={
            "method": f"{policy}: {', '.join(named)}", "n_devices": scenario.fleet.n_devices,
            "model": scenario.model.name, "cut": "+".join(dict.fromkeys(w.cut for w in chosen)),
            "scheme": "split", "codec": "+".join(dict.fromkeys(w.codec["name"] for w in chosen)),
            "device": scenario.device.name, "link": scenario.link.name,
            "server": scenario.server.name, "seed": scenario.seed,
        },
        evaluate=partial(_evaluate, scenario, known, chosen, policy),
    )  # fmt: skip


def _evaluate(
    scenario: Scenario, known: Measured, chosen: Sequence[Way], policy: str
) -> dict[str, Any]:
    return played(*system(scenario, known, chosen, policy))
