"""Compare the fleet-aware search with devices that choose for themselves, by N* at the same p95.

Eight fleets named beforehand (searching/fleets.py), five ways to choose among all cuts and codec
settings within 3 pp of accuracy. Four in which every device chooses for itself, as if it were
alone: "latency" the least latency (Neurosurgeon), "paper" the first choice of the hierarchical
SLICER-Search, "own" the least server time within the limit, "online" the same anew for every
request, at the rate and the wait that it sees. "fleet": one search for all devices, with the
contention that they cause. N* is the largest number of devices whose 95th percentile stays within
the fleet's limit, by simulation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from plots import search_fleet as picture
from scenarios.present.summary import Summary, number
from scenarios.searching import contest
from scenarios.searching.contest import ARMS, Plan
from scenarios.searching.fleets import FLEETS
from scenarios.searching.options import tables
from scenarios.shell.names import unknown
from scenarios.study.figure import produce
from scenarios.sweep.axes import axes_of, points
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.case import identify
from scenarios.systems.scenario import Link, Scenario
from sim import AdaptSpec
from sim.planning import Budget
from sim.specs.check import option

_FLEET = "fleet"


@dataclass(frozen=True, kw_only=True)
class Config(Scenario):
    """The comparison; a fleet brings its own devices, link, workload and limit."""

    fleets: list[str] = option(lambda: list(FLEETS), "which of the eight are played")
    drop_pp: float = option(3.0, "loss of accuracy, upper end of its interval", unit="pp")
    reserve: float = option(0.2, "share of the limit that a device alone keeps to spare")
    adapt: AdaptSpec = option(AdaptSpec, "the rule of the devices that adapt online")
    budget: Budget = option(Budget, "what N* may cost")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.fleets:
            if name not in FLEETS:
                raise ValueError(unknown("fleet", name, list(FLEETS)))
        if not 0.0 <= self.reserve < 1.0:
            raise ValueError(f"reserve must be within [0, 1), got {self.reserve}")


def run(config: Config) -> int:
    """Find N* of every fleet under every way to choose, draw and tell all of them."""
    wanted = {FLEETS[name].link for name in config.fleets}
    axis = axes_of([f"link={','.join(sorted(wanted))}"])
    links = {point.values.get("link", ""): point.config.link for point in points(config, axis)}
    known = {name: tables(FLEETS[name].model) for name in config.fleets}
    draw = partial(picture.draw, title="Devices served within the same p95")
    summarise = partial(_summary, config)
    provenance = {"payloads": {name: dict(t.table.provenance) for name, t in known.items()}}
    jobs = _jobs(config, links, known)
    return produce(config, "search_fleet", jobs, draw, summarise, provenance, finish=_compare)


def _jobs(config: Config, links: dict[str, Link], known: dict[str, Any]) -> Iterator[Job]:
    for name in config.fleets:
        fleet = FLEETS[name]
        link = links.get(fleet.link, config.link)
        plan = Plan(
            fleet=fleet, link=link, known=known[name], drop_pp=config.drop_pp,
            reserve=config.reserve, adapt=config.adapt, budget=config.budget, seed=config.seed,
            engine=config.engine,
        )  # fmt: skip
        yield Job(
            spec={**identify(config), "plan": _identity(plan), "link": asdict(link)},
            digests=known[name].digests,
            labels={"scenario": name, "model": fleet.model, "device": "+".join(fleet.devices),
                    "link": link.name, "server": config.server.name, "limit_s": fleet.limit_s,
                    "seed": config.seed},
            evaluate=partial(contest.answers, plan),
        )  # fmt: skip


def _identity(plan: Plan) -> dict[str, Any]:
    fleet = {**vars(plan.fleet), "workload": asdict(plan.fleet.workload),
             "devices": dict(plan.fleet.devices)}  # fmt: skip
    parts = {"adapt": asdict(plan.adapt), "budget": asdict(plan.budget), "fleet": fleet}
    return {"drop_pp": plan.drop_pp, "reserve": plan.reserve, **parts}


def _compare(rows: Sequence[Row]) -> list[Row]:
    """A row per fleet and way to choose, with N* of the fleet search over its own.

    The ends of that ratio are the worst cases of the two intervals.
    """
    compared = []
    for row in rows:
        shared = {key: value for key, value in row.items() if key != "arms"}
        arms = row.get("arms", [])
        best = next((arm for arm in arms if arm["method"] == _FLEET), None)
        compared += [{**shared, **arm, **_over(best, arm)} for arm in arms] or [shared]
    return compared


def _over(best: Row | None, arm: Row) -> Row:
    if best is None or arm["n_star"] < 1:
        return {}
    ends = (("", "", ""), ("_lo", "_lo", "_hi"), ("_hi", "_hi", "_lo"))
    return {
        f"fleet_over_this{end}": best[f"n_star{top}"] / max(1, arm[f"n_star{bottom}"])
        for end, top, bottom in ends
    }


def _summary(config: Config, rows: Sequence[Row]) -> Summary:
    played = {(row["scenario"], row["method"]): row for row in rows}
    fleets = list(dict.fromkeys(scenario for scenario, _ in played))
    rivals = {name: {arm: played[name, arm] for arm in ARMS if arm != _FLEET} for name in fleets}
    best = {name: max(arms.values(), key=lambda r: r["n_star"]) for name, arms in rivals.items()}
    own, hasty = ({name: arms[arm] for name, arms in rivals.items()} for arm in ("own", "latency"))
    cells = tuple(
        (name, *("{n_star} [{n_star_lo}, {n_star_hi}]".format(**played[name, arm]) for arm in ARMS),
         _gain(own[name]), _gain(best[name]))
        for name in fleets
    )  # fmt: skip
    return Summary(
        title="Fleet-aware search against every device for itself, N* at the same p95",
        finding=" ".join(
            _verdict(rival, against)
            for rival, against in (
                ("latency", hasty),
                ("own", own),
                ("the best of the others", best),
            )
        ),
        columns=("fleet", *ARMS, "over own", "over best"),
        rows=cells,
        origin=(
            "Payloads and answers: measured; devices scaled by published ResNet-18; server: the"
            " measured CPU, one thread; links and queues: modelled. Limits and fleets fixed before"
            " the comparison. Intervals: 95 % over replications, conditional on the tables."
            f" Devices that choose for themselves spare {number(100.0 * config.reserve)} %."
        ),
    )


def _verdict(rival: str, against: dict[str, Row]) -> str:
    """In how many fleets the fleet search serves more and fewer devices than a rival."""
    more = [name for name, row in against.items() if row.get("fleet_over_this", 1.0) >= 1.1]
    fewer = [name for name, row in against.items() if row.get("fleet_over_this_hi", 1.0) < 1.0]
    return (
        f"Against {rival} the fleet search serves at least 10 % more devices in {len(more)} of"
        f" {len(against)} fleets ({', '.join(more) or 'none'}), fewer beyond the interval in"
        f" {len(fewer)} ({', '.join(fewer) or 'none'})."
    )


def _gain(row: Row) -> str:
    over = row.get("fleet_over_this")
    return "-" if over is None else f"{100.0 * (over - 1.0):+.0f} %"
