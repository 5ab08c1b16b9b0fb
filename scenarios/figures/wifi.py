"""Draw what n contending Wi-Fi stations get together: ns-3, Bianchi's fixed point, equal shares.

The table from ns-3 is what `link.contention=ns3` plays and the default; Bianchi's model, its
backoff counters played slot by slot, and an ideal medium that loses nothing stand beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from plots import wifi as plot
from scenarios.present.summary import Summary
from scenarios.study.figure import produce
from scenarios.sweep.play import Job
from scenarios.sweep.rows import Rows
from scenarios.sweep.store import Row
from sim.radio import Access, bianchi_efficiency, ns3_efficiency, ns3_table
from sim.radio.slots import play
from sim.specs.check import option
from sim.statistics import replication_interval

NS3, BIANCHI, SLOTS, IDEAL = "ns-3", "Bianchi", "backoff played", "equal shares, no loss"
_N_CELLS, _N_BUSY = 50, 1500


@dataclass(frozen=True, kw_only=True)
class Config(Rows):
    """How many stations."""

    stations: list[int] = option(
        [1, 2, 3, 5, 8, 10, 15, 20, 30, 40], "numbers of saturated stations"
    )
    seed: int = option(0, "seed of the backoff counters")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.stations or min(self.stations) < 1:
            raise ValueError(f"stations must be >= 1, got {self.stations}")


def run(config: Config) -> int:
    """Compute every point, write results.csv, the figure and the short table."""
    rate = Access().rate_bps
    draw = partial(plot.draw, rate_bps=rate)
    summarise = partial(_summary, rate)
    provenance = {"ns3": "sim/radio/wifi_ns3.csv", "others": "sim/radio/bianchi.py, slots.py"}
    return produce(config, "wifi", _jobs(config), draw, summarise, provenance)


def _jobs(config: Config) -> Iterator[Job]:
    for source in (NS3, BIANCHI, SLOTS, IDEAL):
        for n in sorted(set(config.stations)):
            seed = {"seed": config.seed} if source == SLOTS else {}
            yield Job(
                spec={"source": source, "n": n, **seed},
                digests={"ns3": repr(dict(ns3_table())), "access": repr(Access())},
                labels={"method": source, "n_devices": n},
                evaluate=partial(_point, source, n, config.seed),
            )


def _point(source: str, n: int, seed: int) -> Row:
    """Efficiency of n stations: goodput over the physical rate."""
    if source == NS3:
        kind = "simulated by ns-3" if n in ns3_table() else "between or beyond its points"
        return {"efficiency": ns3_efficiency(n), "kind": kind}
    if source == BIANCHI:
        return {"efficiency": bianchi_efficiency(n), "kind": "modelled"}
    if source == IDEAL:
        return {"efficiency": ns3_efficiency(1), "kind": "modelled"}
    generator = np.random.default_rng((seed, n))
    cells = play(n, Access(), _N_BUSY, generator, n_cells=_N_CELLS)
    mean, lo, hi = replication_interval(cells)
    return {"efficiency": mean, "efficiency_lo": lo, "efficiency_hi": hi, "kind": "simulated"}


def _summary(rate_bps: float, rows: Sequence[Row]) -> Summary:
    numbers = sorted({int(row["n_devices"]) for row in rows})
    value = {(row["method"], row["n_devices"]): row["efficiency"] for row in rows}
    last = numbers[-1]
    goodput = {source: value[source, last] * rate_bps / 1e6 for source in (NS3, BIANCHI, IDEAL)}
    return Summary(
        title="What n saturated 802.11ax stations get together, Mb/s",
        finding=(
            f"At {last} stations ns-3 leaves {goodput[NS3]:.1f} Mb/s of {rate_bps / 1e6:.0f},"
            f" Bianchi's model {goodput[BIANCHI]:.1f}, equal shares without loss"
            f" {goodput[IDEAL]:.1f}: a medium that only shares overstates Wi-Fi"
            f" {goodput[IDEAL] / goodput[NS3]:.1f} times."
        ),
        columns=("stations", NS3, BIANCHI, SLOTS, IDEAL),
        rows=tuple(
            (str(n), *(f"{value[s, n] * rate_bps / 1e6:.1f}" for s in (NS3, BIANCHI, SLOTS, IDEAL)))
            for n in numbers
        ),
        origin=(
            "ns-3: packet-level simulation of 20 MHz HE-MCS7, 1,400 B datagrams (conditions in"
            " sim/radio/wifi_ns3.csv), straight in log n between its points and carried on beyond"
            " 40; Bianchi 2000: modelled with the same nominal times, and its backoff counters"
            f" played in {_N_CELLS} independent cells (95 % interval); nothing here is measured."
        ),
    )
