"""Draw which method answers fastest, over the device's speed against the server's and link rate.

A break-even map per number of devices: every cell plays every method with the same seeds; its
colour is the method with the least mean latency, the number says how much longer the second takes.
The axes move the device's own seconds and the link's physical rate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from plots import sensitivity
from scenarios.present.summary import Summary, between, number
from scenarios.study.figure import Subset, compare, grid, measure_methods
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.answers import Answers
from sim.specs import FleetSpec, GroupSpec
from sim.specs.check import option


@dataclass(frozen=True, kw_only=True)
class Config(Subset):
    """The figure; `sweep` holds the numbers of devices and the link's rates."""

    slowdowns: list[float] = option([], "factors on the device's seconds")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.slowdowns or min(self.slowdowns) <= 0:
            raise ValueError(f"slowdowns must be > 0 and at least one, got {self.slowdowns}")


def run(config: Config) -> int:
    """Play every method in every cell, draw the map of the fastest."""
    known = measure_methods(config)
    whole = known.side(config.device, "head").seconds_at("output")
    ratio = whole / known.side(config.server, "tail").seconds_at("input")
    draw = partial(sensitivity.draw, title=f"{config.model.name}, split after {config.cut}")
    return compare(config, "sensitivity", known, _jobs(config, known, ratio), draw, _summary)


def _jobs(config: Config, known: Answers, ratio: float) -> Iterator[Job]:
    chosen = config.chosen()
    for slowdown in config.slowdowns:
        change = partial(_slow_down, slowdown=slowdown)
        yield from grid(config, known, chosen, change=change, device_over_server=ratio * slowdown)


def _slow_down(config: Config, slowdown: float) -> Config:
    group = GroupSpec(slowdown=slowdown)
    fleet = FleetSpec(n_devices=config.fleet.n_devices, groups={"default": group})
    return replace(config, fleet=fleet)


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    cells: dict[tuple[int, float, float], list[Row]] = {}
    for row in rows:
        at = (row["n_devices"], row["device_over_server"], row["rate_bps"])
        cells.setdefault(at, []).append(row)
    first = {at: min(here, key=lambda r: r["latency_mean_s"]) for at, here in cells.items()}
    names = list(dict.fromkeys(row["method"] for row in rows))
    right = {row["method"]: row for row in rows}
    sizes = sorted({n for n, _, _ in cells})
    words, lines = [], []
    for n in sizes:
        won = {
            name: [at[1:] for at, row in first.items() if at[0] == n and row["method"] == name]
            for name in names
        }
        total = sum(len(at) for at in won.values())
        found = "; ".join(f"{name} {len(at)} of {total}" for name, at in won.items() if at)
        words.append(f"N = {n}: {found}")
        lines += [
            (str(n), name, str(len(at)), _span([a for a, _ in at]), _span([b / 1e6 for _, b in at]),
             between(right[name], "table_accuracy", 100))
            for name, at in won.items()
        ]  # fmt: skip
    return Summary(
        title=f"Which method answers fastest, {config.model.name}, split after {config.cut}",
        finding=f"Cells won: {'. '.join(words)}.",
        columns=("N", "method", "cells won", "device/server seconds, from-to",
                 "link Mb/s, from-to", "right %"),
        rows=tuple(lines),
        origin=where,
    )  # fmt: skip


def _span(values: Sequence[float]) -> str:
    return f"{number(min(values))} - {number(max(values))}" if values else "-"
