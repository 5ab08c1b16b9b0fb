"""Draw throughput and latency on four kinds of link, with slow devices and random arrivals.

Every method meets the same seeds on every link. Solid: closed loop; dashed: one device in ten is
ten times slower; below, the 95th percentile of the latency when every device asks at random
(Poisson) as often as it thinks in the closed loop, whether or not its last answer has come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from plots import links
from scenarios.present.summary import Summary, between, number
from scenarios.study.cuts import bear_errors, place_cut
from scenarios.study.figure import Subset, compare, grid, measure_methods
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.answers import Answers
from sim.specs import FleetSpec, GroupSpec, WorkloadSpec
from sim.specs.check import option

CLOSED, STRAGGLERS, POISSON = "closed", "stragglers", "asynchronous"


@dataclass(frozen=True, kw_only=True)
class Config(Subset):
    """The figure; `sweep` holds the links and the numbers of devices."""

    straggler_share: float = option(0.1, "share of stragglers")
    straggler_slowdown: float = option(10.0, "how much slower a straggler's processor is")


def run(config: Config) -> int:
    """Play every method on every link three ways, draw one panel per link."""
    known = measure_methods(config)
    config = place_cut(config, known)
    draw = partial(links.draw, title=f"{config.model.name}, split after {config.cut}")
    return compare(config, "links", known, _jobs(config, known), draw, _summary)


def _jobs(config: Config, known: Answers) -> Iterator[Job]:
    chosen = bear_errors(config.chosen(), known)
    yield from grid(config, known, chosen, arrivals=CLOSED)
    yield from grid(config, known, chosen, arrivals=STRAGGLERS, change=_straggling)
    yield from grid(config, known, chosen, arrivals=POISSON, change=_asynchronous)


def _straggling(config: Config) -> Config:
    """The same fleet with some devices that compute much slower."""
    group = GroupSpec(
        straggler_share=config.straggler_share, straggler_slowdown=config.straggler_slowdown
    )
    fleet = FleetSpec(n_devices=config.fleet.n_devices, groups={"default": group})
    return replace(config, fleet=fleet)


def _asynchronous(config: Config) -> Config:
    """Poisson arrivals at the rate of the think time; a device keeps at most four in flight."""
    rate_rps = 1.0 / max(config.workload.think_s, 1e-3)
    workload = WorkloadSpec(kind="poisson", rate_rps=rate_rps, max_in_flight=4)
    return replace(config, workload=workload)


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    last = max(row["n_devices"] for row in rows)
    names = list(dict.fromkeys(row["link"] for row in rows))
    cells, words = [], []
    for link in names:
        here = [r for r in rows if (r["link"], r["n_devices"]) == (link, last)]
        ways = {(row["method"], row["arrivals"]): row for row in here}
        closed = [row for row in here if row["arrivals"] == CLOSED]
        best = max((r for r in closed if r["cut"] not in ("input", "output")),
                   key=lambda row: row["throughput_rps"])  # fmt: skip
        words.append(f"{link}: {best['method']} {number(best['throughput_rps'])}/s")
        for row in closed:
            slow = ways.get((row["method"], STRAGGLERS))
            open_ = ways.get((row["method"], POISSON))
            cells.append(
                (link, row["method"], between(row, "throughput_rps"),
                 between(slow, "throughput_rps") if slow else "-",
                 between(row, "latency_p95_s", 1e3),
                 between(open_, "latency_p95_s", 1e3) if open_ else "-",
                 number(100 * open_["dropped_share"]) if open_ else "-",
                 between(row, "table_accuracy", 100))
            )  # fmt: skip
    return Summary(
        title="Four networks, stragglers and asynchronous arrivals",
        finding=f"Best split at N = {last}, closed loop: {'; '.join(words)}.",
        columns=("link", "method", f"requests/s, N = {last}", "with stragglers", "p95 ms",
                 "p95 ms, asynchronous", "turned away %", "right %"),
        rows=tuple(cells),
        origin=where,
    )  # fmt: skip
