"""Draw what devices decide while the network moves, with and without hysteresis.

Every device searches for itself, anew for every frame: the least server seconds whose predicted
latency keeps the deadline, at the rate of its own transfers and the wait that the server hinted at.
The link's speed follows a trace. "at once" acts on every prediction; "reserve" wants a share of the
limit to spare; "hysteresis" also waits until a gain has lasted (sim/devices/adaptive.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from plots import search_adaptation as adaptation
from profiles.tables.split import Split
from scenarios.present.summary import Summary, between, number
from scenarios.study.figure import origin, produce
from scenarios.sweep.axes import axes_of, points
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.answers import measure
from scenarios.systems.build import Use, case
from scenarios.systems.case import Case, identify, row_of
from scenarios.systems.measured import Measured
from scenarios.systems.scenario import Scenario
from sim import AdaptSpec, FleetSpec, GroupSpec
from sim.measures.decisions import decisions_over_time
from sim.specs.check import option

AT_ONCE, RESERVE, HYSTERESIS = "at once", "reserve", "hysteresis"
_GROUP = "default"


@dataclass(frozen=True, kw_only=True)
class Config(Scenario):
    """The figure; `sweep` holds the links whose speeds move."""

    codecs: dict[str, dict[str, Any]] = option({}, "codecs of the sources; see group methods")
    choices: list[str] = option(
        [], "what a device may choose, CUT/CODEC each; the first is its first"
    )
    policy: str = option("search", "what it looks for: search, fastest")
    adapt: AdaptSpec = option(AdaptSpec, "the rule with hysteresis")
    live: bool = option(False, "measure everything here, use no shipped table")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.choices) < 2:
            raise ValueError(f"choices must name two CUT/CODEC or more, got {self.choices}")
        for choice in self.choices:
            if choice.count("/") != 1:
                raise ValueError(f"choices must be CUT/CODEC each, got {choice!r}")


def run(config: Config) -> int:
    """Play every trace under the three rules, draw the last replication over time."""
    known = measure(config.model, list(config.codecs.values()), live=config.live)
    provenance = known.describe(config.device, config.server)
    title = f"{config.fleet.n_devices} x {config.device.name}, {config.model.name}"
    draw = partial(adaptation.draw, title=title)
    summarise = partial(_summary, config, origin(config, provenance))
    jobs = _jobs(config, known)
    return produce(config, "search_adaptation", jobs, draw, summarise, provenance, finish=_unfold)


def rules(adapt: AdaptSpec) -> dict[str, AdaptSpec]:
    """The rule of the configuration, and what is left without its parts."""
    return {
        AT_ONCE: replace(adapt, margin=0.0, dwell_s=0.0),
        RESERVE: replace(adapt, dwell_s=0.0),
        HYSTERESIS: adapt,
    }


def _jobs(config: Config, known: Measured) -> Iterator[Job]:
    for point in points(config, axes_of(config.sweep)):
        if point.error:
            raise ValueError(point.error)
        for name, adapt in rules(config.adapt).items():
            each = choosing(point.config, known, adapt, method=name)
            made = replace(each.job(), evaluate=partial(_evaluate, each))
            yield made.at(point.values)


def choosing(config: Config, known: Measured, adapt: AdaptSpec, **labels: Any) -> Case:
    """The case whose only group may choose by a rule, and all that it may choose from."""
    splits = {f"{cut}/{codec}": Split(cut, codec)
              for cut, codec in (choice.split("/") for choice in config.choices)}  # fmt: skip
    fleet = FleetSpec(n_devices=config.fleet.n_devices, groups={_GROUP: GroupSpec()})
    named = {"adapt": asdict(adapt), "policy": config.policy, "choices": config.choices}
    chosen = case(
        replace(config, fleet=fleet), known, named=named, panel="run", **labels,
        uses={_GROUP: Use(config.device, splits, config.policy, adapt)},
    )  # fmt: skip
    shown = {k: v for k, v in chosen.labels.items() if k not in ("cut", "codec", "scheme")}
    return replace(chosen, labels=shown, identity={**identify(config), **named})


def _evaluate(chosen: Case) -> Row:
    result = chosen.result()
    over_time = decisions_over_time(chosen.spec, result.book, list(chosen.sources))
    return {**row_of(result), "over_time": over_time}


def _unfold(rows: Sequence[Row]) -> list[Row]:
    """The rows of the runs, then those over time of each."""
    runs = [{key: value for key, value in row.items() if key != "over_time"} for row in rows]
    labels = ("point_id", "method", "n_devices", "model", "device", "link", "server", "seed")
    later = [
        {**{key: row[key] for key in labels}, "panel": "time", **second}
        for row in rows
        for second in row.get("over_time", ())
    ]
    return [*runs, *later]


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    played = {(row["link"], row["method"]): row for row in rows if row["panel"] == "run"}
    links = list(dict.fromkeys(link for link, _ in played))
    words = []
    for link in links:
        free, held = played[link, AT_ONCE], played[link, HYSTERESIS]
        changes = [row["decision_changes_per_minute"] for row in (free, held)]
        missed = [100.0 * row["deadline_miss_share"] for row in (free, held)]
        load = [row["server_utilization"] for row in (free, held)]
        times = f"{number(changes[0] / changes[1])} times less often" if changes[1] else "never"
        words.append(
            f"{link}: {times}, {missed[1] - missed[0]:+.1f} pp of deadlines missed,"
            f" server load times {number(load[1] / load[0])}"
        )
    cells = tuple(
        (link, method, between(row, "decision_changes_per_minute"),
         number(row["probes_per_minute"]), between(row, "deadline_miss_share", 100.0),
         number(row["server_utilization"]), number(row["latency_p95_s"] * 1e3))
        for (link, method), row in played.items()
    )  # fmt: skip
    deadline_s = config.workload.deadline_s or float("nan")
    return Summary(
        title=f"Decisions while the network moves, deadline {number(1e3 * deadline_s)} ms",
        finding=f"With hysteresis decisions change, {'; '.join(words)}.",
        columns=("trace", "rule", "changes/min", "probes/min", "missed %", "load", "p95 ms"),
        rows=cells,
        origin=f"{where} Speeds of the link: synthetic (sim/radio/fluctuation.py).",
    )  # fmt: skip
