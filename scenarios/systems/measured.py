"""Measured: what the requests of one system cost and answer, however that is known.

Six kinds: a network that answers once (`answers.py`), the same under a scheme (`schemed.py`), a
scheme of several branches (`branched.py`), a network that generates tokens (`generations.py`), a
big one in closed form (`llama2.py`) and requests by hand (`by_hand.py`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from profiles.predicting.codecs import Carried, Clock, codec_of
from profiles.predicting.roles import Known
from profiles.tables import quality
from profiles.tables.cost import CostSurface
from profiles.tables.hardware import THIS, DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.options import Sides
from profiles.tables.split import Split
from profiles.tables.trace import TraceTable
from scenarios.systems.given import with_given
from scenarios.systems.sheets import names, server_facts
from sim.sources.source import Source

Drop = quality.Interval
"""Accuracy lost against no codec, in percentage points, with its 95 % interval."""


def describe_trace(table: TraceTable) -> str:
    """How much was traced, in a few words."""
    n, settings = len(table.sample_ids), len(table.settings)
    return f"{n} samples, {settings} settings, cuts {', '.join(table.cuts)}"


class About(NamedTuple):
    """One split on one pair of machines: its source, and what is known of it."""

    source: Source
    quality: Mapping[str, float]
    drop: Drop | None
    memory_bytes: float | None
    encoder_bits: float | None
    kinds: Mapping[str, str]
    provenance: Mapping[str, Any]
    machines: Mapping[str, str]
    largest_batch: int | None


@dataclass(frozen=True, kw_only=True)
class Measured(ABC):
    """Sources, answers and provenance of one network, or of what stands for it.

    `model` is its name in the results. What is known of a split is
    found once per pair of machines.
    """

    model: str
    _known: dict[tuple[Any, ...], About] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        """What goes to a worker: the tables without the sources made of them."""
        return {**self.__dict__, "_known": {}}

    @property
    @abstractmethod
    def digests(self) -> Mapping[str, str]:
        """Content hashes of the tables, for point ids."""

    @property
    def settings(self) -> Any:
        """What besides the digests names a point; None: nothing."""
        return None

    def largest_batch_on(self, server: ServerSpec) -> int | None:
        """The largest batch whose seconds are known on it; None: they are known at any."""
        return None

    def over(self, channel: str | None) -> "Measured":
        """The same, its payloads sent over a channel that damages them; None: over none. Itself
        where answers over channels are not known.
        """
        return self

    def split(self, cut: str, setting: str) -> Split:
        """The split at `cut` under `setting`, with the length of its sessions if it has any."""
        return Split(cut, setting)

    def source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        """The requests of one device class at one split against one server.

        Raises:
            ValueError: a machine without a known factor, a combination that was not traced.
        """
        return self.about(split, device, server).source

    def about(self, split: Split, device: DeviceSpec, server: ServerSpec) -> About:
        """All that is known of one split on these machines, found once.

        Raises:
            ValueError: as `source`.
        """
        key = (split, repr(device), repr(server))
        if key not in self._known:
            self._known[key] = About(
                source=self._source(split, device, server),
                quality=self.quality(split),
                drop=self.drop(split),
                memory_bytes=self.memory_bytes(split),
                encoder_bits=self.encoder_bits(split),
                kinds=self.kinds(device, server),
                provenance=self.describe(device, server),
                machines=self.machines(split, device, server),
                largest_batch=self.largest_batch_on(server),
            )
        return self._known[key]

    @abstractmethod
    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        """The same, made anew."""

    def quality(self, split: Split) -> dict[str, float]:
        """What the codec does to the answers: columns of a row; empty where nothing is known."""
        return {}

    def drop(self, split: Split) -> Drop | None:
        """Accuracy lost to the codec; None where answers are not known."""
        return None

    def memory_bytes(self, split: Split) -> float | None:
        """What the device must hold, weights and activations and its KV cache; None: not known."""
        return None

    def encoder_bits(self, split: Split) -> float | None:
        """Of all parameters on the device (SC2, arXiv 2203.08875); None: not known."""
        return None

    @abstractmethod
    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """Where every number comes from: the machine, the factor, the source."""

    def machines(self, split: Split, device: DeviceSpec, server: ServerSpec) -> dict[str, str]:
        """Whose seconds these are, role by role; empty where nobody measured any."""
        return {}

    def kinds(self, device: DeviceSpec, server: ServerSpec) -> dict[str, str]:
        """Resource to kind of its numbers (measured, scaled, modelled, assumed, random)."""
        about = self.describe(device, server)
        return {
            "device": str(about["head_seconds"]["kind"]),
            "uplink": "modelled",
            "server": str(about["tail_seconds"]["kind"]),
            "codec_bits": "measured" if about["payloads"]["weights"] == "trained" else "random",
        }


@dataclass(frozen=True, kw_only=True)
class Network(Measured):
    """A network that was timed and traced.

    The codec's seconds in its `table` were measured by `clock`; `carried_settings` says how those
    settings came to it that were measured elsewhere, by setting and column; `back`, how the table's
    seconds reach the machine at hand, by column. `trace_file`: the table where a user gave it.
    """

    table: TraceTable
    clock: Clock = field(default_factory=lambda: Clock(machine=THIS))
    trace_file: str = ""
    carried_settings: Mapping[str, Mapping[str, Carried]] = field(default_factory=dict)
    back: Mapping[str, Carried] = field(default_factory=dict)

    @property
    @abstractmethod
    def known(self) -> Known:
        """What was measured of the network itself, on whichever machines; of later tokens."""

    @abstractmethod
    def side(self, sheet: DeviceSpec | ServerSpec, part: str) -> CostSurface:
        """Seconds of head or tail on the machine of a sheet.

        Raises:
            ValueError: nothing leads to that machine.
        """

    def carried(
        self, sheet: DeviceSpec | ServerSpec, column: str, setting: str | None = None
    ) -> Carried:
        """How a column of codec seconds of the table, of one setting, reaches the machine of a
        sheet.
        """
        if sheet.name == THIS and self.back:
            there = self.back[column]
        else:
            is_server = isinstance(sheet, ServerSpec)
            known = with_given(self.known, sheet, "tail" if is_server else "head")
            there = codec_of(sheet, known, self.clock, server=is_server)
        own = self.carried_settings.get(setting or "", {}).get(column)
        if own is None or own.kind == "measured":
            return there
        return there._replace(
            factor=there.factor * own.factor,
            kind="assumed" if there.kind == "assumed" else "scaled",
            log_error=math.hypot(there.log_error, own.log_error),
            source=f"{own.source}; {there.source}",
        )

    def sides(self, device: DeviceSpec, server: ServerSpec) -> Sides:
        """What one device and one server take."""
        return Sides(
            self.side(device, "head"), self.side(server, "tail"),
            self.carried(device, "encode_s").factor, self.carried(server, "decode_s").factor,
        )  # fmt: skip

    def largest_batch_on(self, server: ServerSpec) -> int | None:
        """The largest batch whose tail was timed."""
        return max(self.side(server, "tail").batches)

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """The machine of either side with its factor, that of the payloads, the digests."""
        return {
            "head_seconds": describe_surface(self.side(device, "head")),
            "tail_seconds": describe_surface(self.side(server, "tail")),
            "encode_seconds": self.carried(device, "encode_s")._asdict(),
            "decode_seconds": self.carried(server, "decode_s")._asdict(),
            "carried_settings": {
                name: {column: one._asdict() for column, one in columns.items()}
                for name, columns in self.carried_settings.items()
            },
            "payloads": self._payloads(),
            "samples": len(self.table.sample_ids),
            **self.digests,
        }

    def _payloads(self) -> dict[str, Any]:
        """Where payloads and answers come from."""
        given = {"file": self.trace_file} if self.trace_file else {}
        return {**self.table.provenance, **given}

    def machines(self, split: Split, device: DeviceSpec, server: ServerSpec) -> dict[str, str]:
        """Whose seconds these are, role by role, in columns of a row."""
        return {
            "device_machine": name_machine(self.side(device, "head")),
            "server_machine": name_machine(self.side(server, "tail")),
            "codec_machine": self.name_codec(split, device, server),
        }

    def name_codec(self, split: Split, device: DeviceSpec, server: ServerSpec) -> str:
        """Whose seconds encoding and decoding take."""
        ways = [
            self.carried(sheet, column, split.setting)
            for sheet, column in ((device, "encode_s"), (server, "decode_s"))
        ]
        return " + ".join(dict.fromkeys(f"{one.machine} {one.kind}" for one in ways))


def describe_surface(surface: CostSurface) -> dict[str, Any]:
    """Its provenance, with the machine and how the network ran there."""
    names = ("hardware", "mode", "precision")
    return {**surface.provenance, **{name: getattr(surface, name) for name in names}}


def name_machine(surface: CostSurface) -> str:
    """A machine and how its seconds are known: `h100 measured, graph fp16`; the file, if the user
    gave one.
    """
    about = surface.provenance
    kind = str(about.get("kind", "measured"))
    base = about.get("from", {}).get("hardware", surface.hardware)
    source = f" from {base}" if base != surface.hardware else ""
    given = f", {about['file']}" if about.get("file") else ""
    return f"{surface.hardware} {kind}{source}, {surface.mode} {surface.precision}{given}"


def known_of(facts: ModelProfile, surfaces: Sequence[CostSurface]) -> Known:
    """What was measured of a network, with the sheets of the GPUs among the machines."""
    machines = dict.fromkeys(one.hardware for one in surfaces)
    sheets = {name: server_facts(name) for name in machines if name in names("server")}
    gpus = {name: one for name, one in sheets.items() if one.processor == "gpu"}
    return Known(facts=facts, surfaces=tuple(surfaces), sheets=gpus)
