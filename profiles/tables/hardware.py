"""Data sheets of devices and servers: peak rates, memory, power, each with its source.

A sheet never invents a value: every number that it holds is named in `sources`. Whose seconds a
machine takes, its own measured ones or those of another by slowdown, anchor or roofline, says
`profiles.predicting.roles`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from profiles.tables import choices
from profiles.tables.cost import MODES, PRECISIONS

THIS = "this"
"""The machine at hand, as a name of a machine."""
_PROCESSORS = ("cpu", "gpu", "npu", "mcu")


def check_price(where: str, value: Any, currency: str) -> None:
    """Refuse a price that is no number from 0 on, or that says not in which money it is.

    Raises:
        ValueError: either of them; None means "not known", and 0 needs no currency.
    """
    if value is None:
        return
    if not (isinstance(value, int | float | np.number) and 0 <= value < np.inf):
        raise ValueError(f"{where} must be >= 0, got {value}")
    if value and not currency.strip():
        holder = where.rsplit(".", 1)[0]
        raise ValueError(f"{holder}.currency must name the money of {where}, got none")


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """What devices and servers share; rates in operations per second, a multiply-add counts 2."""

    name: str = field(metadata={"help": "name in the results; that of its file"})
    title: str = field(metadata={"help": "what the machine is, in words"})
    processor: str = field(default="cpu", metadata={"help": "cpu, gpu, npu or mcu"})
    profile: str = field(
        default="",
        metadata={
            "help": "FILE: a table measured on this machine, npz of `splitfleet profile` or CSV"
            " (cut, batch, seconds; p95, n, precision, mode)"
        },
    )
    precision: str = field(
        default="auto",
        metadata={"help": "of the measured tables: fp32, fp16, bf16; auto: the fastest that is"},
    )
    mode: str = field(
        default="auto",
        metadata={"help": "likewise: eager, graph, compiled; auto: the fastest that is"},
    )
    reference: str = field(
        default="any", metadata={"help": "machine that slowdown counts from; any that was measured"}
    )
    slowdown: float | None = field(
        default=None, metadata={"help": "seconds here over seconds on the reference", "unit": "1"}
    )
    anchor_s: float | None = field(
        default=None,
        metadata={"help": "one ResNet-18, 224 x 224, batch 1, as deployed", "unit": "s"},
    )
    codec_anchor_s: float | None = field(
        default=None,
        metadata={
            "help": "the same on one core of the processor beside a GPU, which runs the codec",
            "unit": "s",
        },
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
    currency: str = field(
        default="", metadata={"help": "word for the money of its price, such as USD or EUR"}
    )
    sources: dict[str, str] = field(
        default_factory=dict, metadata={"help": "where each value comes from, field by field"}
    )

    def __post_init__(self) -> None:
        choices.position(f"{self.name}.processor", self.processor, _PROCESSORS)
        choices.position(f"{self.name}.precision", self.precision, ("auto", *PRECISIONS))
        choices.position(f"{self.name}.mode", self.mode, ("auto", *MODES))
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

    def _check_price(self, key: str, value: Any) -> None:
        """Prices are the user's own as well as a sheet's, so that no source is asked for."""
        check_price(f"{self.name}.{key}", value, self.currency)


@dataclass(frozen=True, kw_only=True)
class DeviceSpec(_Sheet):
    """One class of front-end devices."""

    price_per_month: float | None = field(
        default=None,
        metadata={
            "help": "what one device costs a month: its price over its months of life, and upkeep",
            "unit": "currency/month",
        },
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_price("price_per_month", self.price_per_month)


@dataclass(frozen=True, kw_only=True)
class ServerSpec(_Sheet):
    """One kind of back-end server; its watts and its price are those of one GPU."""

    price_per_hour: float | None = field(
        default=None,
        metadata={
            "help": "what one GPU costs an hour, idle or busy; it is paid for all hours of a month",
            "unit": "currency/h",
        },
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_price("price_per_hour", self.price_per_hour)


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
