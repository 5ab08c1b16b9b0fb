"""Draw what n contending Wi-Fi stations get together: the model, ns-3, and Bianchi's fixed point.

One curve for each number of frames in an access, as `link.contention=ns3` plays it, with the ns-3
runs behind it and the error at each of them; Bianchi's model (`link.contention=bianchi`), for full
accesses also its backoff counters played slot by slot.
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
from sim.radio import (
    Access,
    bianchi_goodput_bps,
    lone_goodput_bps,
    ns3_curves,
    ns3_goodput_bps,
    ns3_grid,
)
from sim.radio.contention import FRAME_BYTES, Point
from sim.radio.slots import play
from sim.specs.check import option
from sim.statistics import replication_interval

MODEL, NS3, BIANCHI, SLOTS = "model", "ns-3", "Bianchi", "backoff played"
_N_CELLS, _N_BUSY = 50, 1500


@dataclass(frozen=True, kw_only=True)
class Config(Rows):
    """How many stations, and how many frames in an access."""

    stations: list[int] = option(
        [1, 2, 3, 5, 8, 10, 15, 20, 30, 40, 60, 80], "numbers of active stations"
    )
    frames: list[int] = option([1, 4, 12, 39], "frames of 1,400 B that an access may have")
    seed: int = option(0, "seed of the backoff counters")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("stations", "frames"):
            numbers = getattr(self, name)
            if not numbers or min(numbers) < 1:
                raise ValueError(f"{name} must be >= 1, got {numbers}")


def run(config: Config) -> int:
    """Compute every point, write results.csv, the figure and the short table."""
    provenance = {"ns3": "sim/radio/wifi_ns3.csv", "others": "sim/radio/bianchi.py, slots.py"}
    return produce(config, "wifi", _jobs(config), plot.draw, _summary, provenance)


def _jobs(config: Config) -> Iterator[Job]:
    for point in ns3_grid():
        yield _job(NS3, point.n_active, point.frames_per_access, point.frame_bytes,
                   partial(_held, point))  # fmt: skip
    for frames in sorted(set(config.frames)):
        for n in sorted(set(config.stations)):
            yield _job(MODEL, n, frames, FRAME_BYTES, partial(_modelled, n, frames))
            yield _job(BIANCHI, n, frames, FRAME_BYTES, partial(_by_bianchi, n, frames))
    for n in sorted(set(config.stations)):
        yield _job(SLOTS, n, max(config.frames), FRAME_BYTES,
                   partial(_played, n, config.seed), seed=config.seed)  # fmt: skip


def _job(source: str, n: int, frames: int, size: float, evaluate: partial[Row], **spec: int) -> Job:
    return Job(
        spec={"source": source, "n": n, "frames": frames, "frame_bytes": size, **spec},
        digests={"ns3": repr(ns3_curves()), "access": repr(Access())},
        labels={"method": source, "n_devices": n, "frames": frames, "frame_bytes": size},
        evaluate=evaluate,
    )


def _held(point: Point) -> Row:
    """A row of the grid, and how far the model is off."""
    n, frames, size = point.n_active, point.frames_per_access, point.frame_bytes
    error = ns3_goodput_bps(n, frames, size) / point.goodput_bps - 1.0
    goodput_mbps = 1e-6 * point.goodput_bps
    return {"goodput_mbps": goodput_mbps, "off": error, "kind": "simulated by ns-3"}


def _modelled(n: int, frames: int) -> Row:
    return {"goodput_mbps": 1e-6 * ns3_goodput_bps(n, frames), "kind": "modelled"}


def _by_bianchi(n: int, frames: int) -> Row:
    return {"goodput_mbps": 1e-6 * bianchi_goodput_bps(n, frames), "kind": "modelled"}


def _played(n: int, seed: int) -> Row:
    """Backoff counters of stations whose accesses are full."""
    generator = np.random.default_rng((seed, n))
    cells = play(n, Access(), _N_BUSY, generator, n_cells=_N_CELLS)
    mean, lo, hi = (1e-6 * Access().rate_bps * each for each in replication_interval(cells))
    return {"goodput_mbps": mean, "goodput_mbps_lo": lo, "goodput_mbps_hi": hi, "kind": "simulated"}


def _summary(rows: Sequence[Row]) -> Summary:
    value = {(row["method"], row["n_devices"], row["frames"]): row["goodput_mbps"] for row in rows}
    numbers = sorted({int(row["n_devices"]) for row in rows if row["method"] == MODEL})
    frames = sorted({int(row["frames"]) for row in rows if row["method"] == MODEL})
    last, most = numbers[-1], frames[-1]
    worst = max((row for row in rows if row["method"] == NS3), key=lambda row: abs(row["off"]))
    lone = 1e-6 * lone_goodput_bps(most)
    return Summary(
        title="What n saturated 802.11ax stations get together, Mb/s",
        finding=(
            f"With {most} frames an access {last} stations get {value[MODEL, last, most]:.1f} Mb/s"
            f" of one station's {lone:.1f}; Bianchi's model leaves"
            f" {value[BIANCHI, last, most]:.1f}. The model is within"
            f" {100 * abs(worst['off']):.1f} % of each of the {len(ns3_grid())} ns-3 runs; the"
            f" largest error is {100 * worst['off']:+.1f} % at {worst['n_devices']} stations with"
            f" {worst['frames']} frames of {worst['frame_bytes']:,.0f} B."
        ),
        columns=("stations", *(f"{f} a frame" if f == 1 else f"{f} frames" for f in frames),
                 f"{BIANCHI}, {most}", f"{SLOTS}, {most}"),
        rows=tuple(
            (
                str(n),
                *(f"{value[MODEL, n, f]:.1f}" for f in frames),
                *(f"{value[source, n, most]:.1f}" for source in (BIANCHI, SLOTS)),
            )
            for n in numbers
        ),
        origin=(
            "ns-3: packet-level simulation of 20 MHz HE-MCS 7, 1,400 B datagrams (conditions in"
            " sim/radio/wifi_ns3.csv); the model falls with n by isotonic regression, straight in"
            " log n and in log(frames per access), beyond the last run as Bianchi's model goes on;"
            " Bianchi 2000 with the same nominal times, and its backoff counters played in"
            f" {_N_CELLS} independent cells (95 % interval); nothing here is measured."
        ),
    )  # fmt: skip
