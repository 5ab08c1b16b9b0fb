"""Why N* is what it is: what is busy there, where slow requests wait, and what would help."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim import GroupSpec, SystemSpec, run
from sim.measures.laws import Check
from sim.measures.saturation import Load, stop_warning
from sim.planning.forecast.bounds import stability
from sim.planning.limits.goal import Goal, Sample
from sim.planning.runs.levers import LEVERS, Gain, Lever
from sim.planning.runs.probe import Player, Probe
from sim.planning.search.answer import Capacity
from sim.planning.trust.machines import move
from sim.sources.source import Sources
from sim.statistics import replication_interval, two_sided_t
from sim.streams import Streams

_STEP = 0.02
_PULLS = 8  # common streams leave a lever's difference little noise
_MORE, _FEW_RUNS = 1.03, 3
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
    them, "" where none has.
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
    the machines is `move`'s.
    """
    at = max(1, capacity.n_star)
    base = replace(capacity.spec, fleet=replace(capacity.spec.fleet, n_devices=at))
    n_runs = capacity.n_runs
    variants = [(base, sources)] * n_runs
    variants += [(base, each) for each in _resample(spec, sources, n_runs)]
    first = _play_blocks(variants, capacity.goal, n_runs, play)
    as_is, boots = first[:n_runs], first[n_runs:]
    plain, columns = _excess(capacity.goal, as_is), means([r.columns for r in as_is])
    slope = max(capacity.root.slope, 1e-9)
    pulled = [lever for lever in LEVERS if columns[_USES[lever.name]] > 0.0]
    pulls = min(n_runs, _PULLS)
    runs = [lever.pull(base, sources, 1.0 + _STEP) for lever in pulled for _ in range(pulls)]
    second = _play_blocks(runs, capacity.goal, pulls, play)
    same = _excess(capacity.goal, as_is[:pulls])
    changes = {
        lever.name: _excess(capacity.goal, second[i * pulls : (i + 1) * pulls]) - same
        for i, lever in enumerate(pulled)
    }
    nothing = np.zeros(pulls)
    gains = [
        _gain(lever, changes.get(lever.name, nothing), slope, spec.confidence) for lever in LEVERS
    ]
    extra = _table_part(plain, _excess(capacity.goal, boots) if boots else None, spec.confidence)
    root, moved = capacity.root, move(base, sources, capacity.goal, at)
    lo = math.hypot(root.root - root.lo, extra / slope, root.root * (1.0 - moved.lo))
    hi = math.hypot(root.hi - root.root, extra / slope, root.root * (moved.hi - 1.0))
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
    )


def find_better_split(
    capacity: Capacity, sources: Sources, goals: Sequence[Goal], *, play: Player
) -> tuple[str, int] | None:
    """Where devices choose, a source that serves more than N* if all keep to it, by a few runs; and
    the number of devices, a little above the interval of N*, at which it meets the goals.

    Approximation: every group that chooses keeps to its own source or to the same place in its
    list of alternatives.
    """
    groups = capacity.spec.fleet.groups
    places = max((len(group.alternatives) for group in groups.values()), default=0)
    n = math.ceil(_MORE * capacity.n_star_hi) + 1
    for place in range(places + 1 if places else 0):
        fixed = {name: _keep(name, group, place) for name, group in groups.items()}
        spec = replace(capacity.spec, fleet=replace(capacity.spec.fleet, groups=fixed))
        probe = Probe(spec, sources, goals, play=play)
        excess, _ = probe.worst(n, _FEW_RUNS)
        if excess <= 0.0 and not probe.is_saturated(n) and n <= stability(spec, sources):
            names = [fixed[name].source for name, group in groups.items() if group.alternatives]
            return " and ".join(names), n
    return None


def _keep(name: str, group: GroupSpec, place: int) -> GroupSpec:
    """A group that keeps to its own source (place 0) or to one of its alternatives."""
    sources = [group.source or name, *group.alternatives]
    source = sources[place] if place < len(sources) else sources[0]
    return replace(group, source=source, alternatives=[], policy="fixed")


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
