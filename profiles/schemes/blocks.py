"""What every block of an architecture costs: a table of blocks, so that any cut is a sum.

`ComputedCosts` takes multiply-adds at a stated speed; `MeasuredCosts` takes seconds of one block
alone, measured for every width in, width out, stride and side (as HW-NAS-Bench has them for other
spaces). The link carries the feature as one byte a number.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, Protocol

import torch
from torch import nn

from profiles.schemes.supernet import STRIDES, WIDTHS, Architecture, Space


class Costs(Protocol):
    """Seconds of one request."""

    def seconds(self, one: Architecture, cut: str) -> float:
        """Head, transfer and tail."""


class Parts(NamedTuple):
    """What one request asks for: seconds of the device and of the server, bytes of the link."""

    head_s: float
    n_bytes: int
    tail_s: float


@dataclass(frozen=True, kw_only=True)
class ComputedCosts:
    """Multiply-adds over a speed, bits over a rate.

    Raises:
        ValueError: a speed or rate that is not above 0.
    """

    space: Space
    device_mac_per_s: float
    server_mac_per_s: float
    rate_bps: float

    def __post_init__(self) -> None:
        for name in ("device_mac_per_s", "server_mac_per_s", "rate_bps"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"scheme.{name} must be > 0, got {getattr(self, name)}")

    def parts(self, one: Architecture, cut: str) -> Parts:
        """What a request asks for."""
        n_head, macs = _in_head(self.space, cut), self.space.macs(one)
        head_s = sum(macs[:n_head]) / self.device_mac_per_s
        tail_s = sum(macs[n_head:]) / self.server_mac_per_s
        return Parts(head_s, self.space.elements(one)[n_head - 1], tail_s)

    def seconds(self, one: Architecture, cut: str) -> float:
        """Head, transfer and tail, of a request alone."""
        return _alone_s(self.parts(one, cut), self.rate_bps)


class Row(NamedTuple):
    """One block: channels in and out, stride, side of its input."""

    n_in: int
    width: int
    stride: int
    side: int


@dataclass(frozen=True, kw_only=True)
class MeasuredCosts:
    """Seconds of every block from a table, times how much slower the device is than the machine of
    the table, and over how much faster the server is.
    """

    space: Space
    table: Mapping[Row, float]
    device_slowdown: float
    server_speed: float
    rate_bps: float

    def parts(self, one: Architecture, cut: str) -> Parts:
        """What a request asks for."""
        n_head = _in_head(self.space, cut)
        each = [self.table[row] for row in rows_of(self.space, one)]
        head_s = sum(each[:n_head]) * self.device_slowdown
        tail_s = sum(each[n_head:]) / self.server_speed
        return Parts(head_s, self.space.elements(one)[n_head - 1], tail_s)

    def seconds(self, one: Architecture, cut: str) -> float:
        """Head, transfer and tail, of a request alone."""
        return _alone_s(self.parts(one, cut), self.rate_bps)


def rows_of(space: Space, one: Architecture) -> list[Row]:
    """The rows of an architecture's blocks."""
    ins = (space.n_in, *one.widths)
    sides = space.sides(one)
    return [
        Row(n, width, stride, side)
        for n, width, stride, side in zip(ins, one.widths, one.strides, sides, strict=False)
    ]


def every_row(space: Space) -> list[Row]:
    """All rows that a space needs."""
    found = []
    sides = [space.side]
    for i in range(space.n_blocks):
        for side in sides:
            for n in WIDTHS if i else (space.n_in,):
                found += [Row(n, width, stride, side) for width in WIDTHS for stride in STRIDES]
        sides = sorted({-(-side // stride) for side in sides for stride in STRIDES})
    return list(dict.fromkeys(found))


def measure(space: Space, repeats: int = 15) -> dict[Row, float]:
    """Median seconds of every block at batch 1, on this machine, on one thread."""
    table = {}
    with torch.inference_mode():
        for row in every_row(space):
            layer = nn.Sequential(
                nn.Conv2d(row.n_in, row.width, 3, row.stride, 1, bias=False),
                nn.BatchNorm2d(row.width), nn.ReLU(),
            ).eval()  # fmt: skip
            x = torch.zeros(1, row.n_in, row.side, row.side)
            layer(x)
            table[row] = median(_timed(layer, x) for _ in range(repeats))
    return table


def _timed(layer: nn.Module, x: torch.Tensor) -> float:
    began = time.perf_counter()
    layer(x)
    return time.perf_counter() - began


def _in_head(space: Space, cut: str) -> int:
    return space.stages.index(cut) + 1


def _alone_s(parts: Parts, rate_bps: float) -> float:
    return parts.head_s + 8.0 * parts.n_bytes / rate_bps + parts.tail_s
