"""Draw what every cut does at N = 1, 4, 16, 64, and which cut is best over N.

Throughput, the running time of device 0 for a fixed workload (device_time_s) and server load
against the cut; below a map of the mean latency over N and cut with the best cut marked. Input
means that the whole image is sent (`sent`), output that nothing is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from plots import splits
from profiles.tables.split import Split
from scenarios.present.summary import Summary, between
from scenarios.study.cuts import bear_errors
from scenarios.study.figure import Figure, Method, compare, grid, measure_methods
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.answers import Answers
from sim.specs.check import at_least, option

STEADY, FIXED = "steady", "fixed work"


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure; `sweep` holds the numbers of devices."""

    sent: str = option("jpeg", "codec of the input at the cut input")
    requests: int = option(30, "requests of device 0 that device_time_s covers")

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("requests", self.requests, 1)


def run(config: Config) -> int:
    """Play every cut at every N twice, steady and to the end of the fixed work; draw."""
    known = measure_methods(config)
    draw = partial(splits.draw, title=_title(config))
    return compare(config, "splits", known, _jobs(config, known), draw, _summary)


def _jobs(config: Config, known: Answers) -> Iterator[Job]:
    table = known.table  # a user's network may have inputs that no image codec takes
    known_image = "input" in table.cuts and table.exists("input", config.sent)
    sent = config.sent if known_image else config.best
    cuts = [Method(cut, Split(cut, sent if cut == "input" else config.best)) for cut in table.cuts]
    cuts = bear_errors(cuts, known)
    yield from grid(config, known, cuts, phase=STEADY)
    fixed = replace(config, workload=replace(config.workload, requests=config.requests))
    yield from grid(fixed, known, cuts, phase=FIXED)


def _title(config: Config) -> str:
    return f"{config.model.name} on {config.server.name}, {config.best}, {config.link.name}"


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    steady = {(r["cut"], r["n_devices"]): r for r in rows if r["phase"] == STEADY}
    fixed = {(r["cut"], r["n_devices"]): r for r in rows if r["phase"] == FIXED}
    sizes = sorted({n for _, n in steady})
    cuts = list(dict.fromkeys(cut for cut, _ in steady))
    best = {n: min(cuts, key=lambda c: steady[c, n]["latency_mean_s"]) for n in sizes}
    last = min((n for n in sizes if n >= 64), default=sizes[-1])
    return Summary(
        title=f"Every cut of {_title(config)}",
        finding=f"Least mean latency: {'; '.join(f'N = {n}: {cut}' for n, cut in best.items())}.",
        columns=("cut", f"requests/s, N = {last}", f"latency ms, N = {last}",
                 f"device_time_s of {config.requests} requests, N = {last}",
                 "server ms/request", "accuracy %"),
        rows=tuple(
            (cut, between(steady[cut, last], "throughput_rps"),
             between(steady[cut, last], "latency_mean_s", 1e3),
             between(fixed[cut, last], "device_time_s"),
             between(steady[cut, last], "server_s_per_request", 1e3),
             between(steady[cut, last], "table_accuracy", 100))
            for cut in cuts
        ),
        origin=where,
    )  # fmt: skip
