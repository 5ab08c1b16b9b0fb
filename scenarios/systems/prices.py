"""Prices: what a system costs by device and month, of prices that a sheet or the user states."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from profiles.tables.hardware import DeviceSpec
from sim.places import group_of
from sim.specs import SystemSpec

HOURS_PER_MONTH = 730.0
"""A twelfth of 365 days."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """One GPU an hour, one device of each group and one access point (a cell) a month, in one
    currency; None: not known, which is not free.
    """

    gpu_per_hour: float | None = None
    devices_per_month: Mapping[str, float | None] = field(default_factory=dict)
    cell_per_month: float | None = None
    currency: str = ""

    def per_device_month(self, spec: SystemSpec) -> dict[str, Any]:
        """Columns of what `spec` costs by device and month: every part, and the whole where all
        parts are known; NaN else. GPUs are paid for all hours of a month, used or not.
        """
        n = spec.fleet.n_devices
        gpu, cell = (math.nan if p is None else p for p in (self.gpu_per_hour, self.cell_per_month))
        parts = {
            "server": spec.server.n_gpus * gpu * HOURS_PER_MONTH / n,
            "device": self._devices(spec) / n,
            "link": spec.link.n_cells * cell / n,
        }
        whole = sum(parts.values())
        each = {f"{part}_cost_per_device_month": cost for part, cost in parts.items()}
        return {"cost_per_device_month": whole, **each, "currency": self.currency}

    def _devices(self, spec: SystemSpec) -> float:
        """All devices of all groups, a month."""
        groups = spec.fleet.groups
        shares = tuple(group.share for group in groups.values())
        n = spec.fleet.n_devices
        counts = Counter({0: n})
        if len(groups) > 1:
            counts = Counter(group_of(index, shares) for index in range(n))
        known = [self.devices_per_month.get(name) for name in groups]
        each = [math.nan if price is None else price for price in known]
        return math.fsum(counts[number] * price for number, price in enumerate(each))


def prices_of(config: Any, devices: Mapping[str, DeviceSpec]) -> Prices:
    """The prices of a configuration, whose groups have these `devices`.

    Raises:
        ValueError: two currencies; nothing is converted.
    """
    server, link = config.server, config.link
    stated = [(f"server {server.name}", server.price_per_hour, server.currency)]
    stated += [(f"device {d.name}", d.price_per_month, d.currency) for d in devices.values()]
    stated += [(f"link {link.name}", link.price_per_month, link.currency)]
    words = {currency: who for who, price, currency in reversed(stated) if price}
    if len(words) > 1:
        said = " and ".join(f"{who} in {word}" for word, who in reversed(words.items()))
        raise ValueError(f"prices must be in one currency, got {said}; nothing is converted")
    return Prices(
        gpu_per_hour=server.price_per_hour,
        devices_per_month={name: device.price_per_month for name, device in devices.items()},
        cell_per_month=link.price_per_month,
        currency=next(iter(words), ""),
    )
