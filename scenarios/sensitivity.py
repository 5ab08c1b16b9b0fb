"""Draw which method answers fastest, over the device's speed against the server's and link rate.

A break-even map: every cell plays every method with the same seeds; its colour is the method with
the least mean latency, the number says how much longer the second takes. The axes move the
device's own seconds (1 is the device class as scaled) and the link's physical rate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from plots import sensitivity
from scenarios._figure import Figure, Method, grid, measured, methods, origin, produce
from scenarios._measured import Measured
from scenarios._play import Job
from scenarios._results import Row
from scenarios._summary import Summary, number
from sim.spec import FleetSpec, GroupSpec


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure; `sweep` holds the link's rates."""

    slowdowns: list[float] = field(
        default_factory=list, metadata={"help": "factors on the device's seconds"}
    )
    shown: list[str] = field(
        default_factory=list, metadata={"help": "codecs that are compared; empty: all"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.slowdowns or min(self.slowdowns) <= 0:
            raise ValueError(f"slowdowns must be > 0 and at least one, got {self.slowdowns}")


def run(config: Config) -> int:
    """Play every method in every cell, draw the map of the fastest."""
    known = measured(config)
    provenance = known.describe(config.device, config.server)
    ratio = _speed_ratio(config, known)
    return produce(
        config,
        "sensitivity",
        list(_jobs(config, known, ratio)),
        draw=partial(sensitivity.draw, title=_title(config)),
        summarise=partial(_summary, config, origin(config, provenance)),
        provenance=provenance,
    )


def _jobs(config: Config, known: Measured, ratio: float) -> Iterator[Job]:
    chosen: list[Method] = [
        method
        for method in methods(config)
        if method.cut == "output" or not config.shown or method.setting in config.shown
    ]
    for slowdown in config.slowdowns:
        change = partial(_slowed, slowdown=slowdown)
        yield from grid(config, known, chosen, change=change, device_over_server=ratio * slowdown)


def _slowed(config: Config, slowdown: float) -> Config:
    group = GroupSpec(slowdown=slowdown)
    fleet = FleetSpec(n_devices=config.fleet.n_devices, groups={"default": group})
    return replace(config, fleet=fleet)


def _speed_ratio(config: Config, known: Measured) -> float:
    """Seconds of the whole network on the device over those on the server."""
    head = config.device.scale(known.profile.head).seconds_at("output")
    return head / config.server.scale(known.profile.tail).seconds_at("input")


def _title(config: Config) -> str:
    return f"{config.model.name}, N = {config.fleet.n_devices}, split after {config.cut}"


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    cells: dict[tuple[float, float], list[Row]] = {}
    for row in rows:
        cells.setdefault((row["device_over_server"], row["rate_bps"]), []).append(row)
    first = {at: min(here, key=lambda r: r["latency_mean_s"]) for at, here in cells.items()}
    names = list(dict.fromkeys(row["method"] for row in rows))
    won = {name: [at for at, row in first.items() if row["method"] == name] for name in names}
    return Summary(
        title=f"Which method answers fastest, {_title(config)}",
        finding="Cells won: "
        + "; ".join(f"{name} {len(at)} of {len(cells)}" for name, at in won.items() if at)
        + ".",
        columns=("method", "cells won", "device/server seconds, from-to", "link Mb/s, from-to"),
        rows=tuple(
            (name, str(len(at)), _span([a for a, _ in at]), _span([b / 1e6 for _, b in at]))
            for name, at in won.items()
        ),
        origin=where,
    )


def _span(values: Sequence[float]) -> str:
    return f"{number(min(values))} - {number(max(values))}" if values else "-"
