"""Groups of unlike devices: each with its own data sheet, cut and codec, by name.

An experiment file names the groups twice: `fleet.groups` says how many they are and what they do
(shares, workloads, churn), `members` what they are made of.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from typing import Any

from profiles.tables.hardware import DeviceSpec, parse
from profiles.tables.sheets import read
from scenarios.shell.names import unknown
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.case import file_digests, identity, row_of
from scenarios.systems.measured import Measured, measure
from scenarios.systems.scenario import Scenario, powered, system_spec
from sim import replicate
from sim.sources.source import Source
from sim.specs import SystemSpec

__all__ = ["Member", "choice", "job", "measured", "played", "sheet", "system"]


@dataclass(frozen=True, kw_only=True)
class Member:
    """What the devices of a group are: files of the groups device and codec, and a cut."""

    device: str = field(metadata={"help": "data sheet, a file of conf/device"})
    codec: str = field(metadata={"help": "codec, a file of conf/codec"})
    cut: str = field(metadata={"help": "last stage on these devices"})


def choice(group: str, name: str) -> dict[str, Any]:
    """The content of conf/GROUP/NAME.yaml.

    Raises:
        ValueError: no such file, with the nearest names.
    """
    folder = resources.files(f"conf.{group}")
    known = sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".yaml"))
    if name not in known:
        raise ValueError(unknown(group, name, known))
    return read(folder / f"{name}.yaml")


def sheet(member: Member) -> DeviceSpec:
    """The data sheet of a group's devices."""
    return parse(DeviceSpec, choice("device", member.device))


def measured(scenario: Scenario, members: Mapping[str, Member]) -> Measured:
    """One table with every codec at every cut that some group uses.

    Raises:
        ValueError: groups and members that do not go together, an unknown cut, codec or device.
    """
    if set(members) != set(scenario.fleet.groups):
        raise ValueError(
            f"members must be those of fleet.groups ({', '.join(scenario.fleet.groups) or 'none'}),"
            f" got {', '.join(members)}"
        )
    codecs = [choice("codec", name) for name in _distinct(m.codec for m in members.values())]
    return measure(scenario.model, codecs, _distinct(m.cut for m in members.values()))


def system(
    scenario: Scenario, known: Measured, members: Mapping[str, Member]
) -> tuple[SystemSpec, dict[str, Source]]:
    """What `sim` plays: the spec with every group's power, and a source for each group."""
    spec = system_spec(scenario)
    groups = {
        name: powered(group, sheet(members[name])) for name, group in spec.fleet.groups.items()
    }
    sources: dict[str, Source] = {
        name: known.source(
            member.cut, choice("codec", member.codec)["name"], sheet(member), scenario.server
        )
        for name, member in members.items()
    }
    fleet = dataclasses.replace(spec.fleet, groups=groups)
    return dataclasses.replace(spec, fleet=fleet), sources


def job(scenario: Scenario, known: Measured, members: Mapping[str, Member]) -> Job:
    """The point of `scenario` with these groups."""
    named = {name: dataclasses.asdict(member) for name, member in members.items()}

    def joined(part: str) -> str:
        return "+".join(_distinct(member[part] for member in named.values()))

    return Job(
        spec={**identity(scenario), "members": named},
        digests={**known.digests, **file_digests(scenario)},
        labels={
            "method": "+".join(members), "n_devices": scenario.fleet.n_devices,
            "model": scenario.model.name, "cut": joined("cut"), "scheme": "split",
            "codec": joined("codec"), "device": joined("device"), "link": scenario.link.name,
            "server": scenario.server.name, "seed": scenario.seed,
        },
        evaluate=partial(_evaluate, scenario, known, members),
    )  # fmt: skip


def _evaluate(scenario: Scenario, known: Measured, members: Mapping[str, Member]) -> Row:
    return played(*system(scenario, known, members))


def played(spec: SystemSpec, sources: Mapping[str, Source]) -> Row:
    """The metrics of one system, with what must be said of them."""
    return row_of(replicate(spec, sources))


def _distinct(names: Any) -> Sequence[str]:
    return list(dict.fromkeys(names))
