"""Work: how many events a run will take, and how long all runs last, said before one is built.

Flows of requests, from rates and the operational bounds (Denning and Buzen 1978), times the events
that a request makes on its way. No simulation; within a factor of three of the events really
played (tests/sim/test_work.py) unless much is cut short: a request that is given up on its way
(deadline, memory, departure) counts as if it went on.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.devices.arrivals import arrivals
from sim.devices.training import rounds_of
from sim.engine.choice import COMPILED, SIMPY, refusal
from sim.places import groups_of
from sim.planning.forecast.visits import Costs, gives_up, request_costs
from sim.radio.contention import RATIO
from sim.replicate import N_PILOTS, has_rows
from sim.sources.source import Sources
from sim.specs import ChurnSpec, GroupSpec, SystemSpec, WorkloadSpec


class Pace(NamedTuple):
    """CPU seconds of a run, of an event, of making a device, of a frame that may be lost."""

    run: float
    event: float
    device: float
    frame: float


SECONDS = {
    SIMPY: Pace(run=0.0, event=4e-6, device=4e-5, frame=1e-6),
    COMPILED: Pace(run=1.5e-3, event=1e-7, device=2e-6, frame=0.0),
}
"""By engine; how they were measured says docs/models.md."""

_ABSENCE = 8.0


class Work(NamedTuple):
    """Events and CPU seconds of one run, and how many runs there are; further ones that
    `precision` may ask for are not foreseen.
    """

    events: float
    run_s: float
    runs: int

    @property
    def seconds(self) -> float:
        """CPU seconds of all runs on one core."""
        return self.runs * self.run_s


class _Flow(NamedTuple):
    """The requests a second of a group: born, and carried to their answer."""

    n_devices: float
    born_rps: float
    carried_rps: float
    closed: bool
    birth_events: float
    costs: Costs


def predict_work(spec: SystemSpec, sources: Sources) -> Work:
    """The work that `spec` makes.

    Raises:
        ValueError: a group whose source is not among `sources`.
    """
    flows = _limit(spec, [_flow(spec, *each, sources) for each in groups_of(spec).items()])
    per_s = _events_per_s(spec, flows)
    frames_per_s = 0.0
    for flow in flows:
        per_s += flow.born_rps * flow.birth_events + flow.carried_rps * flow.costs.events
        frames_per_s += flow.carried_rps * flow.costs.frames
    training, left = _training(spec, sources)
    span_s, n_devices = left * _span_s(spec, flows), spec.fleet.n_devices
    events = training + 2.0 * n_devices + (per_s * span_s if per_s > 0.0 else 0.0)
    frames = frames_per_s * span_s if frames_per_s > 0.0 else 0.0
    pace = SECONDS[_engine(spec, sources)]
    run_s = pace.run + pace.event * events + pace.frame * frames + pace.device * n_devices
    pilots = min(N_PILOTS, spec.replications) if spec.warmup == "mser5" else 0
    doubled = spec.replications > 1 and has_rows(sources)
    return Work(events, run_s, pilots + spec.replications * (1 + doubled))


def _engine(spec: SystemSpec, sources: Sources) -> str:
    """Which engine will play it; a run that none will play says so itself."""
    return SIMPY if spec.engine == SIMPY or refusal(spec, sources) else COMPILED


def _training(spec: SystemSpec, sources: Sources) -> tuple[float, float]:
    """The events of the rounds that devices train, as far as a run has time for them, and the share
    of the run that is then left for requests.
    """
    events, taken, groups = 0.0, 0.0, groups_of(spec)
    whole = math.fsum(each.share for each in groups.values())
    ends = spec.workload.requests is None
    for number, rounds in rounds_of(spec, sources).items():
        group = list(groups.values())[number]
        load, share = group.workload or spec.workload, group.share / whole
        costs = request_costs(spec, group, load, rounds)
        n, n_devices = float(load.adapt_rounds), spec.fleet.n_devices * share
        alone_s = costs.alone_s + rounds.backward_s
        one_s = max(alone_s, n_devices * costs.server_s / spec.server.n_gpus)
        if ends and one_s > 0.0:
            n = min(n, spec.horizon_s / one_s)
            taken += share * n * one_s / spec.horizon_s
        events += n_devices * n * (costs.events + 2.0)
    return events, max(0.0, 1.0 - taken)


def _flow(spec: SystemSpec, name: str, group: GroupSpec, sources: Sources) -> _Flow:
    """A group whose requests nobody else delays."""
    source = sources.get(group.source or name)
    if source is None:
        raise ValueError(f"group {name!r} needs source {group.source or name!r}")
    load = group.workload or spec.workload
    whole = math.fsum(each.share for each in groups_of(spec).values())
    n = spec.fleet.n_devices * group.share / whole
    costs = request_costs(spec, group, load, source)
    terminating = spec.workload.requests is not None
    presence = _presence(group.churn, math.inf if terminating else spec.horizon_s)
    born_rps = n * presence * _rate_rps(spec, load, costs)
    closed = load.kind == "closed"
    birth = 1.0 + (load.think_s > 0.0 if closed else 3.0)
    carried_rps = born_rps
    if not closed and costs.device_s > 0.0:
        carried_rps = min(born_rps, n / costs.device_s)
    return _Flow(n, born_rps, carried_rps, closed, birth, costs)


def _rate_rps(spec: SystemSpec, load: WorkloadSpec, costs: Costs) -> float:
    """Requests a second of one device that is there."""
    if load.kind == "closed":
        cycle_s = load.think_s + costs.alone_s
        return 1.0 / cycle_s if cycle_s > 0.0 else 0.0  # the run refuses it
    if load.kind != "replay":
        return load.rate_rps
    n = spec.fleet.n_devices
    times = arrivals(load, n).times_s.values()
    last_s = max((each[-1] for each in times), default=0.0)
    span_s = spec.horizon_s if spec.workload.requests is None else last_s
    count = sum(int(np.searchsorted(each, span_s, "right")) for each in times)
    return count / n / span_s if span_s > 0.0 else 0.0


def _presence(churn: ChurnSpec | None, span_s: float) -> float:
    """The share of a run that a device is there, which it is at first (two states, from "up");
    what joins late or leaves for good counts whole.
    """
    if churn is None or churn.mean_up_s is None:
        return 1.0
    settled = churn.mean_up_s / (churn.mean_up_s + churn.mean_down_s)
    turns = span_s * (1.0 / churn.mean_up_s + 1.0 / churn.mean_down_s)
    return settled + (1.0 - settled) * (-math.expm1(-turns) / turns if turns > 0.0 else 1.0)


def _limit(spec: SystemSpec, flows: Sequence[_Flow]) -> list[_Flow]:
    """The flows behind the slowest shared resource; a closed loop is born as it is carried."""
    link, server, limited = spec.link, spec.server, list(flows)
    if link.sharing != "dedicated":
        limited = _share(limited, "link_s", link.n_cells * _capacity(spec))
    limited = _share(limited, "decoder_s", server.cpu_workers)
    return limited if gives_up(spec) else _share(limited, "server_s", server.n_gpus)


def _share(flows: Sequence[_Flow], resource: str, capacity: float) -> list[_Flow]:
    """The flows behind one resource, which those that use it share by what they ask of it."""
    asked = [flow.carried_rps * float(getattr(flow.costs, resource)) for flow in flows]
    load = math.fsum(asked) / capacity
    if load <= 1.0:
        return list(flows)
    return [
        flow._replace(
            carried_rps=flow.carried_rps / load,
            born_rps=flow.born_rps / (load if flow.closed else 1.0),
        )
        if mine > 0.0
        else flow
        for flow, mine in zip(flows, asked, strict=True)
    ]


def _capacity(spec: SystemSpec) -> float:
    """What all devices of a cell together get of the medium."""
    if spec.link.sharing != "wifi":
        return 1.0
    n = min(1_000, max(1, spec.fleet.n_devices // spec.link.n_cells))
    frames = spec.link.frames_per_access(spec.link.rate_bps)
    return RATIO[spec.link.contention](n, frames)


def _span_s(spec: SystemSpec, flows: Sequence[_Flow]) -> float:
    """Simulated seconds; of a terminating run, those in which its devices get so many answers."""
    wanted = spec.workload.requests
    if wanted is None:
        return spec.horizon_s
    who = flows if spec.workload.until_all else flows[:1]
    rates = [flow.carried_rps / flow.n_devices for flow in who if flow.carried_rps > 0.0]
    return max((wanted / rate for rate in rates), default=0.0) + max(f.costs.alone_s for f in who)


def _events_per_s(spec: SystemSpec, flows: Sequence[_Flow]) -> float:
    """Events that come whatever is asked: departures and returns, failures and what they repeat."""
    groups, per_s, server = groups_of(spec).values(), 0.0, spec.server
    if server.mean_up_s is not None:
        repeats = server.on_failure == "retry"
        again = math.fsum(f.n_devices * f.costs.events for f in flows) if repeats else 0.0
        per_s += (2.0 + again) / (server.mean_up_s + server.repair_s)
    whole = math.fsum(group.share for group in groups)
    for group in groups:
        churn = group.churn
        if churn is not None and churn.mean_up_s is not None:
            n = spec.fleet.n_devices * group.share / whole
            per_s += _ABSENCE * n / (churn.mean_up_s + churn.mean_down_s)
    return per_s
