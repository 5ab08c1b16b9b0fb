"""What a fleet runs under each way to choose, and how many devices that serves.

Protocol, fixed before the first comparison. Devices that choose for themselves keep `reserve` of
the limit to spare, since they cannot know their neighbours. The fleet search bounds the mean, and
what share of a 95th percentile the mean may be depends on the system: it proposes one decision per
share of the limit in `SHARES` (at the largest N that it predicts to keep it), and a short simulated
planning on a seed of its own picks among those and what the devices would choose alone. All N*
that are reported are then found on another seed, the same for all.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from profiles.tables.hardware import DeviceSpec, parse
from scenarios.searching.fleets import Fleet
from scenarios.searching.options import Tables
from scenarios.sweep.store import Row
from scenarios.systems.build import Use, case
from scenarios.systems.case import Case
from scenarios.systems.scenario import Link, Model, Scenario, Server
from scenarios.systems.sheets import device_sheet, read
from sim import AdaptSpec, FleetSpec, GroupSpec, ServerSpec
from sim.medium.channel import rate_bps
from sim.planning import Budget, Capacity, Goal, Refusal, capacity
from sim.search import SEARCHES, Group, Limits, Options, Predictor, Problem
from sim.search.fleet import front

ARMS = ("latency", "paper", "own", "online", "fleet")
_ALONE = {"latency": "neurosurgeon", "paper": "hierarchical"}
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_MOST = 4096
_GOAL = "latency_p95_s"
_PLANNING_SEED = 1_000_003

Rows = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One fleet with everything that its comparison depends on."""

    fleet: Fleet
    link: Link
    known: Tables
    drop_pp: float
    reserve: float
    adapt: AdaptSpec
    budget: Budget
    seed: int
    engine: str = "auto"

    @property
    def sheets(self) -> dict[str, DeviceSpec]:
        """Data sheet by group."""
        return {name: device_sheet(name) for name in self.fleet.devices}

    @cached_property
    def options(self) -> dict[str, Options]:
        """What fits into the memory of each group's devices."""
        fleet = self.fleet
        deepest = self.known.profiles[0].cut_names.index(fleet.deepest)
        lengths = (fleet.tokens,) if fleet.tokens else ()
        fitting = {}
        for name, sheet in self.sheets.items():
            every = self.known.options(sheet, self.server, lengths)
            fitting[name] = every.take(np.flatnonzero(every.depth <= deepest))
        return fitting

    @property
    def server(self) -> Server:
        """The measuring machine; the fleet's speed is the simulator's."""
        return parse(Server, {**read("server", "xeon"), "speed": self.fleet.server_speed})

    @property
    def scenario(self) -> Scenario:
        """The fleet as `sim` knows it, before anything is chosen."""
        fleet = self.fleet
        groups = {name: GroupSpec(share=share) for name, share in fleet.devices.items()}
        return Scenario(
            model=Model(name=fleet.model), device=next(iter(self.sheets.values())),
            server=self.server, link=self.link, fleet=FleetSpec(groups=groups),
            workload=fleet.workload, seed=self.seed, engine=self.engine,
        )  # fmt: skip


def answers(plan: Plan) -> Row:
    """One row per way to choose under `arms`: N* with its interval, and what is chosen.

    Ways that choose alike are played once.
    """
    problem = whole(plan, 1, plan.fleet.limit_s)
    known: dict[tuple[Rows, bool], Row] = {}
    arms = []
    for arm in ARMS:
        key = choose(plan, arm), arm == "online"
        if key not in known:
            known[key] = _answer(plan, problem, *key)
        groups = zip(problem.groups, key[0], strict=True)
        words = "; ".join(str(group.options.labels[row]) for group, row in groups)
        arms.append({"method": arm, "decision": words, **known[key]})
    return {"arms": arms}


def _answer(plan: Plan, problem: Problem, rows: Rows, online: bool) -> Row:
    try:
        most = _serve(plan, problem, rows, online=online, budget=plan.budget)
    except Refusal as refusal:
        if "even one device" not in str(refusal):
            raise
        return {"n_star": 0, "n_star_lo": 0, "n_star_hi": 0, "warning": str(refusal)}
    return {
        "n_star": most.n_star,
        "n_star_lo": max(0, most.n_star_lo),
        "n_star_hi": most.n_star_hi,
        "n_runs": most.n_runs,
        "n_requests": most.requests,
        "warmup_s": most.spec.warmup_s,
        "run_s": most.spec.horizon_s - most.spec.warmup_s,
    }


def whole(plan: Plan, n_devices: int, limit_s: float) -> Problem:
    """The search problem of `n_devices`: what fits into memory, within a mean of `limit_s`."""
    fleet = plan.fleet
    per_step_s = limit_s / max(1, fleet.tokens)
    total = sum(fleet.devices.values())
    load = fleet.workload
    groups = []
    for name, options in plan.options.items():
        groups.append(
            Group(
                name=name,
                options=options,
                n_devices=max(1, round(n_devices * fleet.devices[name] / total)),
                rate_bps=rate_bps(plan.link, plan.link.snr_db),
                limits=Limits(latency_s=per_step_s, drop_pp=plan.drop_pp),
                think_s=load.think_s if load.kind == "closed" else None,
                rate_rps=load.rate_rps if load.kind != "closed" else None,
            )
        )
    server = ServerSpec(speed=fleet.server_speed)
    return Problem(groups=tuple(groups), link=plan.link, server=server)


def choose(plan: Plan, arm: str) -> Rows:
    """A row of the options for every group."""
    if arm == "fleet":
        return _plan_fleet(plan)
    return _alone(plan, _ALONE.get(arm, "exhaustive"))


def _alone(plan: Plan, search: str) -> Rows:
    """Every group's choice as that of one device with nobody beside it."""
    limit_s = (1.0 - plan.reserve) * plan.fleet.limit_s
    problem = whole(plan, 1, limit_s)
    rows = []
    for number in range(len(problem.groups)):
        decision = SEARCHES[search](problem.of_group(number, 1))
        if decision.rows is None:  # nothing keeps the limit: what is fastest
            late_s = Predictor(problem.of_group(number, 1)).alone(0)
            rows.append(int(np.argmin(late_s)))
        else:
            rows.append(decision.rows[0])
    return tuple(rows)


def _plan_fleet(plan: Plan) -> Rows:
    """The proposal that serves most devices in a short planning."""
    proposals = dict.fromkeys(
        [*(_largest(plan, share) for share in SHARES), _alone(plan, "exhaustive")]
    )
    rows = [proposal for proposal in proposals if proposal is not None]
    if len(rows) == 1:
        return rows[0]
    problem = whole(plan, 1, plan.fleet.limit_s)
    rough = replace(
        plan.budget,
        half_width=min(0.99, 3.0 * plan.budget.half_width),
        n_runs=3,
        requests_per_run=plan.budget.pilot_requests,
    )
    trial = replace(plan, seed=plan.seed + _PLANNING_SEED)

    def count_served(proposal: Rows) -> int:
        try:
            return _serve(trial, problem, proposal, online=False, budget=rough).n_star
        except Refusal:
            return 0

    return max(rows, key=count_served)


def _largest(plan: Plan, share: float) -> Rows | None:
    """The fleet search's decision at the most devices that it predicts to keep the limit."""
    limit_s = share * plan.fleet.limit_s

    def decide(n_devices: int) -> Rows | None:
        return SEARCHES["fleet"](whole(plan, n_devices, limit_s)).rows

    low, best, high = 0, None, 1
    while high <= _MOST and (rows := decide(high)) is not None:
        low, best, high = high, rows, 2 * high
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        rows = decide(middle)
        if rows is None:
            high = middle
        else:
            low, best = middle, rows
    return best


def _serve(plan: Plan, problem: Problem, rows: Rows, *, online: bool, budget: Budget) -> Capacity:
    chosen = choosing(plan, problem, rows, online=online)
    goal = Goal(column=_GOAL, limit=plan.fleet.limit_s)
    return capacity(chosen.spec, chosen.sources, goal, budget=budget)


def choosing(plan: Plan, problem: Problem, rows: Rows, *, online: bool) -> Case:
    """The case of every group at its row, or free to leave it for any that may be best."""
    fleet = plan.fleet
    uses: dict[str, Use] = {}
    predictor = Predictor(problem)
    adapt = replace(plan.adapt, limit_s=fleet.limit_s / max(1, fleet.tokens))
    for number, (name, row) in enumerate(zip(fleet.devices, rows, strict=True)):
        others = [i for i in front(predictor, number) if i != row] if online else []
        options = problem.groups[number].options
        splits = {f"{name} {options.labels[i]}": options.labels[i] for i in (row, *others)}
        uses[name] = Use(plan.sheets[name], splits, "search" if online else "fixed", adapt)
    return case(plan.scenario, plan.known, uses=uses)
