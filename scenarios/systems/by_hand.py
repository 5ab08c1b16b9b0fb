"""Requests that nobody measured: all alike as the user says, or from sources of the user's own."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.split import Split
from scenarios.shell.names import unknown
from scenarios.systems.measured import Measured
from sim.sources.source import ConstantSource, Source
from sim.specs.check import at_least, option


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one request costs, instead of a network's measured ones."""

    device_s: float = option(0.0, "head and encode", unit="s")
    payload_bytes: float | None = option(
        None, "uplink payload; None: nothing is sent, 0: a frame of its header", unit="B"
    )
    decode_s: float = option(0.0, "decode of one payload", unit="s")
    server_s: float = option(0.0, "tail, batch of one", unit="s")
    batch_slope_s: float | None = option(
        None, "further seconds of each further request of a batch", unit="s"
    )

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            at_least(f"request.{item.name}", getattr(self, item.name), 0.0)


@dataclass(frozen=True, kw_only=True)
class ByHand(Measured):
    """One request, repeated."""

    model: str = "-"
    request: Request

    def __repr__(self) -> str:
        return f"ByHand({self.request})"

    @property
    def digests(self) -> dict[str, str]:
        """None: there is no table."""
        return {}

    @property
    def settings(self) -> Any:
        """The costs."""
        return dataclasses.asdict(self.request)

    def split(self, cut: str, setting: str) -> Split:
        """Nothing is cut."""
        return Split("-", "-")

    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> ConstantSource:
        return ConstantSource(**dataclasses.asdict(self.request))

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """The costs, as they were given."""
        return {"request": dataclasses.asdict(self.request)}

    def kinds(self, device: DeviceSpec, server: ServerSpec) -> dict[str, str]:
        """Everything is assumed."""
        return dict.fromkeys(("device", "uplink", "server", "codec_bits"), "assumed")


@dataclass(frozen=True, kw_only=True)
class Own(Measured):
    """Sources that a script made itself: one for all, or by the names that groups give them."""

    model: str = "-"
    sources: Source | Mapping[str, Source]
    digests, kinds = ByHand.digests, ByHand.kinds

    def __repr__(self) -> str:
        return f"Own({self.sources!r})"

    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        if not isinstance(self.sources, Mapping):
            return self.sources
        if split.setting not in self.sources:
            raise ValueError(unknown("source", split.setting, self.sources))
        return self.sources[split.setting]

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """The sources' own words."""
        return {"request": repr(self.sources)}
