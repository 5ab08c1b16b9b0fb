"""Data sheets of devices and servers: peak rates, memory, power, each with its source.

A sheet never invents a value: every number that it holds is named in `sources`. A machine that
nobody measured here is reached in one of three ways: by a stated `slowdown` against the reference
machine; by the anchor, a ResNet-18 whose published time `anchor_s` is divided by the time of the
same network on the reference machine; or by the roofline of `profiles.predicting.roofline`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from profiles.tables import choices
from profiles.tables.cost import CostSurface

_PROCESSORS = ("cpu", "gpu", "npu", "mcu")


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """What devices and servers share; rates in operations per second, a multiply-add counts 2."""

    name: str = field(metadata={"help": "name in the results; that of its file"})
    title: str = field(metadata={"help": "what the machine is, in words"})
    processor: str = field(default="cpu", metadata={"help": "cpu, gpu, npu or mcu"})
    reference: str = field(
        default="measured", metadata={"help": "hardware whose profile is scaled to this machine"}
    )
    slowdown: float | None = field(
        default=None, metadata={"help": "seconds here over seconds on the reference", "unit": "1"}
    )
    anchor_s: float | None = field(
        default=None,
        metadata={"help": "one ResNet-18, 224 x 224, batch 1, fp32, as deployed", "unit": "s"},
    )
    peak_fp32_flops: float | None = field(
        default=None, metadata={"help": "peak rate in 32-bit floats", "unit": "FLOP/s"}
    )
    peak_fp16_flops: float | None = field(
        default=None, metadata={"help": "peak rate in 16-bit floats", "unit": "FLOP/s"}
    )
    peak_int8_ops: float | None = field(
        default=None, metadata={"help": "peak rate in 8-bit integers", "unit": "op/s"}
    )
    memory_bandwidth_bytes_per_s: float | None = field(
        default=None, metadata={"help": "peak rate of its memory", "unit": "B/s"}
    )
    memory_bytes: float | None = field(
        default=None, metadata={"help": "memory for weights and data", "unit": "B"}
    )
    power_idle_w: float | None = field(
        default=None, metadata={"help": "power while nothing happens", "unit": "W"}
    )
    power_busy_w: float | None = field(
        default=None, metadata={"help": "power while it computes, idling included", "unit": "W"}
    )
    power_limits_w: dict[str, float] = field(
        default_factory=dict, metadata={"help": "named power modes", "unit": "W"}
    )
    sources: dict[str, str] = field(
        default_factory=dict, metadata={"help": "where each value comes from, field by field"}
    )

    def __post_init__(self) -> None:
        choices.position(f"{self.name}.processor", self.processor, _PROCESSORS)
        for key in _VALUES:
            self._check(key, getattr(self, key))
        for mode, watts in self.power_limits_w.items():
            self._check(f"power_limits_w.{mode}", watts)
        if self.power_limits_w and not self.sources.get("power_limits_w"):
            raise ValueError(f"{self.name}.sources must name the source of power_limits_w")
        if None not in (self.power_idle_w, self.power_busy_w):
            assert self.power_idle_w is not None
            assert self.power_busy_w is not None
            if self.power_idle_w > self.power_busy_w:
                raise ValueError(
                    f"{self.name}.power_idle_w must be <= power_busy_w = {self.power_busy_w},"
                    f" got {self.power_idle_w}"
                )

    def _check(self, key: str, value: Any) -> None:
        if value is None:
            return
        if not (isinstance(value, int | float | np.number) and np.isfinite(value) and value > 0):
            raise ValueError(f"{self.name}.{key} must be > 0, got {value}")
        if not self.sources.get(key.split(".")[0]):
            raise ValueError(f"{self.name}.sources must name the source of {key}, got none")

    def slowdown_from(self, surface: CostSurface) -> tuple[float, str]:
        """Seconds here over seconds on the machine of `surface`, and the source of that factor.

        Approximation: one factor for the whole network and for the codec.

        Raises:
            ValueError: neither a slowdown nor an anchor on both machines is known.
        """
        if self.slowdown is not None:
            return self.slowdown, self.sources["slowdown"]
        measured = surface.provenance.get("anchor_s")
        if self.anchor_s is None or not measured:
            raise ValueError(
                f"{self.name} states neither slowdown nor anchor_s, so nothing scales"
                f" {surface.hardware} seconds to it; choose a sheet with one of them, or set"
                " slowdown=FACTOR and +sources.slowdown=WHERE_FROM on it"
            )
        source = f"ResNet-18 in {self.anchor_s:g} s ({self.sources['anchor_s']})"
        return self.anchor_s / measured, f"{source} over {measured:.4g} s on {surface.hardware}"

    def scale(self, surface: CostSurface) -> CostSurface:
        """`surface` on this machine: itself on the reference, else slower and marked "scaled".

        Raises:
            ValueError: the surface is not the reference's, or no factor is known.
        """
        if self.name == surface.hardware:
            return surface
        if surface.hardware != self.reference:
            raise ValueError(
                f"{self.name} is scaled from hardware {self.reference!r}, got {surface.hardware!r}"
            )
        factor, source = self.slowdown_from(surface)
        return surface.scale(factor, hardware=self.name, source=source)


@dataclass(frozen=True, kw_only=True)
class DeviceSpec(_Sheet):
    """One class of front-end devices."""


@dataclass(frozen=True, kw_only=True)
class ServerSpec(_Sheet):
    """One kind of back-end server."""


_VALUES = tuple(
    item.name
    for item in fields(_Sheet)
    if item.name == "slowdown" or ("unit" in item.metadata and item.name != "power_limits_w")
)

_Spec = TypeVar("_Spec", bound=_Sheet)


def parse(spec: type[_Spec], values: Mapping[str, Any]) -> _Spec:
    """A sheet from the plain mapping of its YAML file.

    Raises:
        ValueError: an unknown field, with the nearest names, or a bad value.
    """
    names = tuple(item.name for item in fields(spec))
    for key in values:
        choices.position(f"{spec.__name__} field", key, names)
    return spec(**values)
