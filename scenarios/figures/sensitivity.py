"""Draw which method is best, over the device's speed against the server's and the link's rate.

A break-even map per number of devices: every cell plays every method with the same seeds; its
colour is the method that is best by `measure` (the mean latency unless told otherwise), the number
says by what factor the second is worse. The axes move the device's own seconds and the link's
physical rate. A method whose part does not fit into the device's memory is not played.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from plots import sensitivity
from plots.sensitivity import WORDS as _WORDS
from plots.sensitivity import overlap, rank
from scenarios.present.summary import Summary, between, number
from scenarios.study.cuts import bear_errors, place_cut
from scenarios.study.figure import Method, Subset, compare, grid, measure_methods
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.answers import Answers
from sim.specs import FleetSpec, GroupSpec
from sim.specs.check import one_of, option

MEASURES = tuple(_WORDS)


@dataclass(frozen=True, kw_only=True)
class Config(Subset):
    """The figure; `sweep` holds the numbers of devices and the link's rates."""

    slowdowns: list[float] = option([], "factors on the device's seconds")
    measure: str = option("latency_mean_s", f"what is compared: {', '.join(MEASURES)}")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.slowdowns or min(self.slowdowns) <= 0:
            raise ValueError(f"slowdowns must be > 0 and at least one, got {self.slowdowns}")
        one_of("measure", self.measure, MEASURES)


def run(config: Config) -> int:
    """Play every method in every cell, draw the map of the fastest."""
    known = measure_methods(config)
    config = place_cut(config, known)
    whole = known.side(config.device, "head").seconds_at("output")
    ratio = whole / known.side(config.server, "tail").seconds_at("input")
    title = f"{config.model.name} on {config.server.name}, split after {config.cut}"
    draw = partial(sensitivity.draw, title=title, measure=config.measure)
    return compare(config, "sensitivity", known, _jobs(config, known, ratio), draw, _summary)


def _jobs(config: Config, known: Answers, ratio: float) -> Iterator[Job]:
    chosen = [m for m in bear_errors(config.chosen(), known) if _fits(config, known, m)]
    if not chosen:
        raise ValueError(f"no method fits into the memory of {config.device.name}")
    for slowdown in config.slowdowns:
        change = partial(_slow_down, slowdown=slowdown)
        yield from grid(config, known, chosen, change=change, device_over_server=ratio * slowdown)


def _fits(config: Config, known: Answers, method: Method) -> bool:
    need, has = known.memory_bytes(method.split), config.device.memory_bytes
    return need is None or has is None or need <= has


def _slow_down(config: Config, slowdown: float) -> Config:
    group = GroupSpec(slowdown=slowdown)
    fleet = FleetSpec(n_devices=config.fleet.n_devices, groups={"default": group})
    return replace(config, fleet=fleet)


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    cells: dict[tuple[int, float, float], list[Row]] = {}
    for row in rows:
        at = (row["n_devices"], row["device_over_server"], row["rate_bps"])
        cells.setdefault(at, []).append(row)
    ranked = {at: rank(here, config.measure) for at, here in cells.items()}
    first = {at: here[0] for at, here in ranked.items() if here}
    clear = {at for at, here in ranked.items() if not _is_open(here, config.measure)}
    names = list(dict.fromkeys(row["method"] for row in rows))
    right = {row["method"]: row for row in rows}
    sizes = sorted({n for n, _, _ in cells})
    words, lines = [], []
    for n in sizes:
        won = {
            name: [at for at, row in first.items() if at[0] == n and row["method"] == name]
            for name in names
        }
        total = sum(len(at) for at in won.values())
        found = "; ".join(
            f"{name} {len(at)} of {total} ({len(clear & {*at})})" for name, at in won.items() if at
        )
        words.append(f"N = {n}: {found}")
        lines += [
            (str(n), name, str(len(at)), str(len(clear & {*at})),
             _span([a for _, a, _ in at]), _span([b / 1e6 for *_, b in at]),
             between(right[name], "table_accuracy", 100))
            for name, at in won.items()
        ]  # fmt: skip
    return Summary(
        title=f"Which method is best, {config.model.name}, split after {config.cut}",
        finding=(
            f"{_WORDS[config.measure].capitalize()}, cells won (beyond the intervals): "
            f"{'. '.join(words)}."
        ),
        columns=("N", "method", "cells won", "beyond the intervals",
                 "device/server seconds, from-to", "link Mb/s, from-to", "right %"),
        rows=tuple(lines),
        origin=where,
    )  # fmt: skip


def _is_open(ranked: Sequence[Mapping[str, Any]], measure: str) -> bool:
    """Whether the first may be no better than the second."""
    return len(ranked) > 1 and overlap(ranked[0], ranked[1], measure)


def _span(values: Sequence[float]) -> str:
    return f"{number(min(values))} - {number(max(values))}" if values else "-"
