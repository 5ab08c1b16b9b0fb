"""Why N* is what it is: what is busy there, where slow requests wait, and what would help."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim import SystemSpec, run
from sim.measures.laws import Check
from sim.measures.saturation import Load, stop_warning
from sim.planning.limits.goal import Goal, Sample
from sim.planning.runs.levers import LEVERS, Gain, Lever
from sim.planning.runs.probe import Player
from sim.planning.search.answer import Capacity
from sim.planning.trust.machines import move
from sim.planning.trust.shift import move_by_load, say_table, scale, spread_by_load
from sim.sources.source import Sources
from sim.statistics import replication_interval, two_sided_t
from sim.streams import Streams

_STEP = 0.02
_PULLS = 8  # common streams leave a lever's difference little noise
_USES = {
    "server": "server_s_per_request",
    "uplink": "airtime_s_per_request",
    "device": "device_service_s",
    "codec_bits": "airtime_s_per_request",
}


class Reading(NamedTuple):
    """One run at N*: its columns, its laws, what the limiting goal hears of it, and its load."""

    columns: dict[str, float]
    checks: tuple[Check, ...]
    sample: Sample
    load: Load | None = None


@dataclass(frozen=True, kw_only=True)
class Why:
    """The system at N*: mean columns over runs, laws, gains in falling order, and both intervals.

    `total_lo`, `total_hi`: N* with the errors of the trace table and of machines that nobody
    measured too, `machines`: those in words; `spread`: standard
    deviation of a run's own excess, what a single seed would be off by; `collapsed`: runs at N*
    that fell into a far worse regime than the others; `stop`: that nothing is answered any more in
    them, "" where none has; `table`: that the table's part is not known from runs, "" where it is.
    """

    columns: Mapping[str, float]
    checks: tuple[Check, ...]
    gains: tuple[Gain, ...]
    total_lo: int
    total_hi: int
    machines: str
    spread: float
    collapsed: int
    requests: int
    stop: str = ""
    table: str = ""

    @property
    def resources(self) -> list[Gain]:
        """The things that can be bought, the one that helps most first."""
        return [gain for gain in self.gains if gain.resource]

    @property
    def binding(self) -> Gain:
        """The resource whose speed-up raises N* most."""
        return self.resources[0]

    @property
    def surely(self) -> bool:
        """Whether a faster one of it raises N* beyond the interval's doubt."""
        return self.binding.lo > 0.0

    @property
    def next_binding(self) -> Gain | None:
        """The resource that helps most after it; None where none surely helps."""
        helping = [gain for gain in self.resources[1:] if gain.lo > 0.0]
        return helping[0] if helping else None


def why(spec: SystemSpec, sources: Sources, capacity: Capacity, *, play: Player) -> Why:
    """Play N* again: as it is, on bootstraps of the table, and with every lever pulled by 2 %.

    All variants share the streams of the search run by run, so that a difference is that of the
    lever alone; what no request uses is not pulled. dN* = -(excess pulled - excess) / (d excess /
    dN), by Student's t over runs; the slope at N* is the search's, taken as known.

    The table's part follows `sim.statistics.table_interval`: sqrt(half^2 + t^2 max(0, s_b^2 - s^2))
    with s of plain runs and s_b of runs that each have their own bootstrap, over the slope; that of
    the machines is `move`'s. Where runs collapse at N* there is no such slope: the loads tell.
    """
    at, n_runs, root, worth = (
        max(1, capacity.n_star),
        capacity.n_runs,
        capacity.root,
        scale(capacity),
    )
    base = replace(capacity.spec, fleet=replace(capacity.spec.fleet, n_devices=at))
    others = _resample(spec, sources, n_runs)
    variants = [(base, sources)] * n_runs
    variants += [(base, each) for each in others if worth.crosses]
    first = _play_blocks(variants, capacity.goal, n_runs, play)
    as_is, boots = first[:n_runs], first[n_runs:]
    plain, columns = _excess(capacity.goal, as_is), means([r.columns for r in as_is])
    pulled = [lever for lever in LEVERS if columns[_USES[lever.name]] > 0.0]
    gains, second = _pull(base, sources, capacity, pulled, as_is, play=play)
    extra = _table_part(plain, _excess(capacity.goal, boots) if boots else None, spec.confidence)
    table, doubt = worth.devices(extra), ""
    if others and math.isnan(table):
        table = spread_by_load(root.root, base, sources, others)
        doubt = say_table(table)
    table = 0.0 if math.isnan(table) else table
    moved = move(base, sources, capacity.goal, at, crosses=worth.crosses)
    lo = math.hypot(root.root - root.lo, table, root.root * (1.0 - moved.lo))
    hi = math.hypot(root.hi - root.root, table, root.root * (moved.hi - 1.0))
    return Why(
        columns=columns,
        checks=worst_checks(as_is),
        gains=tuple(sorted(gains, key=lambda gain: -gain.devices)),
        total_lo=max(0, math.floor(root.root - lo)),
        total_hi=math.floor(root.root + hi),
        machines=moved.words,
        spread=float(np.std(plain, ddof=1)),
        collapsed=capacity.goal.count_apart([reading.sample for reading in as_is]),
        requests=int(math.fsum(reading.columns["n_requests"] for reading in (*first, *second))),
        stop=tell_stop(as_is),
        table=doubt,
    )


def _pull(
    base: SystemSpec,
    sources: Sources,
    capacity: Capacity,
    pulled: Sequence[Lever],
    as_is: Sequence[Reading],
    *,
    play: Player,
) -> tuple[list[Gain], list[Reading]]:
    """What each lever brings, and the runs that told; none where only the loads can."""
    pulls, worth = min(capacity.n_runs, _PULLS), scale(capacity)
    variants = {lever.name: lever.pull(base, sources, 1.0 + _STEP) for lever in pulled}
    runs = [each for each in variants.values() if worth.crosses for _ in range(pulls)]
    played = _play_blocks(runs, capacity.goal, pulls, play)
    same, gains = _excess(capacity.goal, as_is[:pulls]), []
    for lever in LEVERS:
        change = np.zeros(pulls)
        if lever.name in variants and played:
            first = pulls * list(variants).index(lever.name)
            change = _excess(capacity.goal, played[first : first + pulls]) - same
        known = worth.crosses or lever.name not in variants
        slope = max(worth.slope, 1e-9) if known else math.inf
        gain = _gain(lever, change, slope, base.confidence)
        if not known or max(abs(gain.lo), abs(gain.hi)) > worth.reach:
            then = variants.get(lever.name, (base, sources))
            moved = move_by_load(capacity.root.root, base, sources, then) * 0.01 / _STEP
            loads = 0.0 if math.isnan(moved) else moved
            gain = replace(gain, devices=loads, lo=math.nan, hi=math.nan)
        gains.append(gain)
    return gains, played


def read(spec: SystemSpec, sources: Sources, goal: Goal, replication: int) -> Reading:
    """One run of one variant."""
    result = run(spec, sources, replication=replication)
    columns = {name: estimate.mean for name, estimate in result.estimates.items()}
    return Reading(columns, result.checks, goal.sample(result), result.load)


def tell_stop(readings: Sequence[Reading]) -> str:
    """That nothing is answered any more in these runs; "" where something is."""
    return stop_warning([reading.load for reading in readings if reading.load is not None])


def _excess(goal: Goal, readings: Sequence[Reading]) -> NDArray[np.float64]:
    return goal.excess([reading.sample for reading in readings])


def _play_blocks(
    variants: Sequence[tuple[SystemSpec, Sources]], goal: Goal, n_runs: int, play: Player
) -> list[Reading]:
    """Run i of every block of `n_runs` is replication i."""
    return play(
        partial(read, *variant, goal, number % n_runs) for number, variant in enumerate(variants)
    )


def _gain(lever: Lever, change: NDArray[np.float64], slope: float, confidence: float) -> Gain:
    gain = replication_interval(change * (-0.01 / (_STEP * slope)), confidence)
    return Gain(
        name=lever.name,
        words=lever.words,
        resource=lever.resource,
        devices=gain.mean,
        lo=gain.lo,
        hi=gain.hi,
    )


def _table_part(
    plain: NDArray[np.float64], boot: NDArray[np.float64] | None, confidence: float
) -> float:
    """Half-width in excess that the table's sampling error adds."""
    if boot is None:
        return 0.0
    extra = float(np.var(boot, ddof=1) - np.var(plain, ddof=1))
    return two_sided_t(confidence, boot.size - 1) * math.sqrt(max(0.0, extra))


def _resample(spec: SystemSpec, sources: Sources, n_runs: int) -> list[Sources]:
    """The sources on a bootstrap of their rows per run; nothing where none has rows."""

    def draw(replication: int) -> Sources:
        return {
            name: source.resample(Streams(spec.seed, replication).generator("bootstrap"))
            for name, source in sources.items()
        }

    if all(other is sources[name] for name, other in draw(0).items()):
        return []
    return [draw(r) for r in range(n_runs)]


def means(columns: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of every column over runs."""
    return {name: float(np.mean([each[name] for each in columns])) for name in columns[0]}


def worst_checks(readings: Sequence[Reading]) -> tuple[Check, ...]:
    """Of every law the run in which its two sides lie furthest apart for what is allowed."""
    laws = zip(*(reading.checks for reading in readings), strict=True)
    return tuple(max(each, key=lambda c: abs(c.left - c.right) - c.tolerance) for each in laws)
