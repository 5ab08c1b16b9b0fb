"""Measured: what the requests of one system cost and answer, however that is known.

Four kinds: a network that answers once (`answers.py`), one that generates tokens
(`generations.py`), a big one in closed form (`llama2.py`) and requests by hand (`by_hand.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from profiles.tables import quality
from profiles.tables.cost import CostSurface
from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.split import Split
from profiles.tables.trace import TraceTable
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
    kinds: Mapping[str, str]
    provenance: Mapping[str, Any]


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

    @property
    def largest_batch(self) -> int | None:
        """The largest batch whose seconds are known; None: they are known at any."""
        return None

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
                kinds=self.kinds(device, server),
                provenance=self.describe(device, server),
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

    @abstractmethod
    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """Where every number comes from: the machine, the factor, the source."""

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
    """A network that was timed and traced: its `table`, and what is said of both `sides`."""

    table: TraceTable

    @property
    @abstractmethod
    def sides(self) -> tuple[CostSurface, CostSurface]:
        """Seconds of head and tail as they were measured."""

    @property
    def largest_batch(self) -> int | None:
        """The largest batch whose tail was timed."""
        return max(self.sides[1].batches)

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """The machine of either side with its factor, that of the payloads, the digests."""
        return {
            "head_seconds": dict(device.scale(self.sides[0]).provenance),
            "tail_seconds": dict(server.scale(self.sides[1]).provenance),
            "payloads": dict(self.table.provenance),
            "samples": len(self.table.sample_ids),
            **self.digests,
        }
