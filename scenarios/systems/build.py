"""Subject: one system whose capacity is asked for, and what is known of its numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from profiles.tables.quality import drop_interval
from scenarios.systems import groups
from scenarios.systems.groups import Member
from scenarios.systems.measured import Measured
from scenarios.systems.scenario import Scenario, system_spec
from sim import ConstantSource, Source, SystemSpec
from sim.places import groups_of

_WEAKER = ("measured", "published", "assumed", "scaled", "modelled", "random")


@dataclass(frozen=True, kw_only=True)
class Constant:
    """Requests that all cost the same, instead of a network's measured ones (known systems)."""

    device_s: float = field(default=0.0, metadata={"unit": "s", "help": "head and encode"})
    payload_bytes: float = field(default=0.0, metadata={"unit": "B", "help": "uplink payload"})
    decode_s: float = field(default=0.0, metadata={"unit": "s", "help": "decode of one payload"})
    server_s: float = field(default=0.0, metadata={"unit": "s", "help": "tail, batch of one"})
    batch_slope_s: float | None = field(
        default=None,
        metadata={"unit": "s", "help": "further seconds of each further request of a batch"},
    )

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if value is not None and not value >= 0.0:
                raise ValueError(f"request.{item.name} must be >= 0, got {value}")

    def source(self) -> ConstantSource:
        """What `sim` draws from."""
        return ConstantSource(**dataclasses.asdict(self))


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Accuracy lost against no codec, in percentage points, with its 95 % interval."""

    mean: float
    lo: float
    hi: float


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A system, its sources, and where its numbers come from.

    `kinds`: resource to kind of its numbers (measured, scaled, modelled, assumed); `drop` is None
    where answers are not known (random weights, analytic requests).
    """

    names: Mapping[str, str]
    spec: SystemSpec
    sources: Mapping[str, Source]
    kinds: Mapping[str, str]
    drop: Drop | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    largest_batch: int | None = None

    @property
    def words(self) -> str:
        """Cut and codec as a person says them."""
        cut, codec = self.names["cut"], self.names["codec"]
        if cut == "-":
            return "requests that all cost the same"
        if cut == "input":
            return f"codec {codec}, all layers on the server"
        if cut == "output":
            return "all layers on the devices"
        each = [_spaced(one) for one in cut.split("+")]
        if len(each) > 1:
            return f"groups of devices, cut after {', '.join(each)}"
        return f"codec {codec} after {each[0]}"


def subject(config: Any, known: Measured | None) -> Subject:
    """The system that a configuration describes.

    Raises:
        ValueError: a cut, codec or machine that the tables do not hold.
    """
    if known is None:
        return _analytic(config)
    if config.members:
        return _mixed(config, known)
    spec = system_spec(config)
    setting = str(config.codec["name"])
    source = known.source(config.cut, setting, config.device, config.server)
    return Subject(
        names=_names(config, config.cut, setting),
        spec=spec,
        sources=dict.fromkeys(spec.fleet.groups, source),
        kinds=kinds_of(known.describe(config.device, config.server)),
        drop=_drop(known, config.cut, setting),
        provenance=known.describe(config.device, config.server),
        largest_batch=max(known.profile.tail.batches),
    )


def _analytic(config: Any) -> Subject:
    spec = system_spec(config)
    return Subject(
        names=_names(config, "-", "-"),
        spec=spec,
        sources=dict.fromkeys(groups_of(spec), config.request.source()),
        kinds=dict.fromkeys(("device", "uplink", "server", "codec_bits"), "assumed"),
        provenance={"request": dataclasses.asdict(config.request)},
    )


def _mixed(config: Any, known: Measured) -> Subject:
    members: Mapping[str, Member] = config.members
    spec, sources = groups.system(config, known, members)
    found = [
        _drop(known, m.cut, str(groups.choice("codec", m.codec)["name"])) for m in members.values()
    ]
    drops = [drop for drop in found if drop is not None]
    described = {
        name: known.describe(groups.sheet(member), config.server)
        for name, member in members.items()
    }
    return Subject(
        names=_names(
            config,
            "+".join(dict.fromkeys(m.cut for m in members.values())),
            "+".join(dict.fromkeys(m.codec for m in members.values())),
        ),
        spec=spec,
        sources=sources,
        kinds=_weakest([kinds_of(each) for each in described.values()]),
        drop=max(drops, key=lambda drop: drop.hi) if len(drops) == len(found) else None,
        provenance=described,
        largest_batch=max(known.profile.tail.batches),
    )


def _names(config: Scenario, cut: str, codec: str) -> dict[str, str]:
    return {
        "model": config.model.name if cut != "-" else "-",
        "cut": cut,
        "codec": codec,
        "device": config.device.name if cut != "-" else "-",
        "link": config.link.name,
        "server": config.server.name if cut != "-" else "-",
        "max_batch": str(config.server.max_batch),
    }


def kinds_of(described: Mapping[str, Any]) -> dict[str, str]:
    """Resource to kind of its numbers, of a measured network as `Measured.describe` says it."""
    return {
        "device": str(described["head_seconds"]["kind"]),
        "uplink": "modelled",
        "server": str(described["tail_seconds"]["kind"]),
        "codec_bits": "measured" if described["payloads"]["weights"] == "trained" else "random",
    }


def _weakest(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Of every resource the kind that is trusted least among unlike groups."""
    return {name: max((kinds[name] for kinds in each), key=_WEAKER.index) for name in each[0]}


def _drop(known: Measured, cut: str, setting: str) -> Drop | None:
    """Paired per sample against the answers at "output", by Bonett and Price's interval."""
    table = known.table
    if cut == "output":
        return Drop(mean=0.0, lo=0.0, hi=0.0)
    if "output" not in table.cuts:
        return None
    right = table.cell("correct", cut, setting)
    whole = _whole(table, setting)
    if whole is None or np.isnan(right).any():
        return None
    lost, gained = int((whole > right).sum()), int((whole < right).sum())
    found = drop_interval(len(right), lost, gained)
    return Drop(mean=100.0 * found.mean, lo=100.0 * found.lo, hi=100.0 * found.hi)


def _whole(table: Any, setting: str) -> np.ndarray | None:
    """Answers of the whole network, which every setting has at "output"."""
    right: np.ndarray = table.cell("correct", "output", setting)
    return None if np.isnan(right).any() else right


def _spaced(cut: str) -> str:
    """`stage3` as `stage 3`."""
    letters = cut.rstrip("0123456789")
    return f"{letters} {cut[len(letters) :]}" if letters != cut and letters else cut
