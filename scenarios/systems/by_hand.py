"""Requests that nobody measured: all alike as the user says, or from sources of the user's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.split import Split
from scenarios.shell.names import unknown
from scenarios.systems.measured import Measured
from sim.sources.source import ConstantSource, Source

__all__ = ["ByHand", "Own", "Request"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one request costs, instead of a network's measured ones."""

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

    def __repr__(self) -> str:
        return f"Own({self.sources!r})"

    @property
    def digests(self) -> dict[str, str]:
        """None: nobody knows what a source is made of."""
        return {}

    def _source(self, split: Split, device: DeviceSpec, server: ServerSpec) -> Source:
        if not isinstance(self.sources, Mapping):
            return self.sources
        if split.setting not in self.sources:
            raise ValueError(unknown("source", split.setting, self.sources))
        return self.sources[split.setting]

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """The sources' own words."""
        return {"request": repr(self.sources)}

    def kinds(self, device: DeviceSpec, server: ServerSpec) -> dict[str, str]:
        """Everything is assumed."""
        return dict.fromkeys(("device", "uplink", "server", "codec_bits"), "assumed")
