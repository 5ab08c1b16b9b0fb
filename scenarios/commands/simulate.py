"""Simulate one system and print what it does, with 95 % intervals.

N devices run the layers before `cut`, encode the feature with `codec`, share `link`; the server
decodes and runs the rest. Payloads, answers and seconds are measured on this machine first (kept in
outputs/cache) and scaled to the device class by the factor that its data sheet states.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scenarios.present import table
from scenarios.sweep import multirun
from scenarios.sweep.axes import Point, axes_of, points
from scenarios.sweep.play import Job, failing, play
from scenarios.sweep.rehearse import rehearse
from scenarios.sweep.store import Row, Store, write_table
from scenarios.systems import groups, ways
from scenarios.systems.build import kinds_of
from scenarios.systems.case import job
from scenarios.systems.groups import Member
from scenarios.systems.measured import Measured, measure
from scenarios.systems.scenario import Scenario, system_spec
from sim import run as sim_run
from sim.measures.columns import passages
from sim.measures.overtime import load_over_time, present_over_time
from sim.measures.timeline import chrome_trace
from sim.planning.finding import GOOD, Trust
from sim.planning.trust import run_trust
from sim.sources.source import Source
from sim.specs import SystemSpec

_BINS = 100


@dataclass(frozen=True, kw_only=True)
class Config(Scenario):
    """One point, or a grid of them with `sweep` or -m."""

    cut: str = field(
        default="stage3",
        metadata={"help": "last stage on the device; input: none of them; output: all"},
    )
    codec: dict[str, Any] = field(
        default_factory=dict, metadata={"help": "chain and its options; see group codec"}
    )
    members: dict[str, Member] = field(
        default_factory=dict,
        metadata={"help": "unlike groups: device, codec and cut of each; in experiment files"},
    )
    alternatives: list[str] = field(
        default_factory=list,
        metadata={"help": "what devices may do instead, per request: CUT/CODEC or output"},
    )
    policy: str = field(
        default="fastest",
        metadata={"help": "choice among alternatives: fastest, search; a group may have its own"},
    )
    timeline: bool = field(
        default=False,
        metadata={"help": "write timeline.json (for Perfetto) and load.csv of the last point"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.members and self.alternatives:
            raise ValueError("simulate takes members or alternatives, got both")


def run(config: Config) -> int:
    """Simulate every point, store the rows and print them."""
    store = Store(Path("outputs") / config.name)
    chosen = list(points(config, axes_of(config.sweep)))
    tables = _tables(chosen)
    jobs = [_job(point, known) for point, known in zip(chosen, tables, strict=True)]
    if config.dry_run:
        return rehearse(jobs, store, workers=config.workers)
    with multirun.locked(store):
        rows = play(jobs, store, workers=config.workers)
        played = [i for i, row in enumerate(rows) if not row.get("error")]
        sound = [i for i in played if isinstance(tables[i], Measured)]
        if not sound:  # every point was refused
            raise ValueError(rows[0]["error"])
        last, known = chosen[sound[-1]].config, tables[sound[-1]]
        provenance = _provenance(last, known)
        store.write_run(command="simulate", config=asdict(config), provenance=provenance)
        if config.timeline:
            _write_timeline(store, last, known)
        if multirun.is_multirun():
            print(table.line(rows[-1]))
            return 0
        store.write_table(rows, config.columns)
    table.show(rows, provenance, columns=config.columns)
    if len(rows) == 1:
        table.show_trust(_trust(last, known, rows[0]))
    print("Held in every run: arrived = done + dropped + in flight, Little's law, utilization law.")
    print(f"written: {store.folder}/results.csv and run.json")
    return int(any(row.get("error") for row in rows))


def _tables(chosen: Sequence[Point]) -> list[Any]:
    """What each point plays on: measured once per network, codec and cut; or why it cannot be."""
    known: dict[str, Any] = {}
    found = []
    for point in chosen:
        each = point.config
        parts = (each.codec, each.cut, each.members, each.alternatives)
        key = repr((each.model, *parts, list(each.fleet.groups)))
        if key not in known:
            try:
                known[key] = _measured(each)
            except ValueError as error:
                if len(chosen) == 1:
                    raise
                known[key] = str(error)
        found.append(point.error or known[key])
    return found


def _measured(config: Config) -> Measured:
    if config.members:
        return groups.measured(config, config.members)
    if config.alternatives:
        return ways.measured(config, _ways(config))
    return measure(config.model, [config.codec], [config.cut])


def _ways(config: Config) -> list[ways.Way]:
    return ways.ways(config.cut, config.codec, config.alternatives)


def _provenance(config: Config, known: Measured) -> dict[str, Any]:
    """Where every number comes from; of unlike groups, the first one's and all by name."""
    if not config.members:
        return known.describe(config.device, config.server)
    each = {
        name: known.describe(groups.sheet(member), config.server)
        for name, member in config.members.items()
    }
    return {**next(iter(each.values())), "members": each}


def _job(point: Point, known: Any) -> Job:
    method = _method(point.config)
    if isinstance(known, str):
        words = " ".join(f"{key}={value}" for key, value in point.values.items())
        return failing(f"{words}: {known}", {"method": method}).at(point.values)
    config = point.config
    if config.members:
        plain = groups.job(config, known, config.members)
    elif config.alternatives:
        plain = ways.job(config, known, _ways(config), config.policy)
    else:
        how = {"cut": config.cut, "setting": config.codec["name"], "method": method}
        plain = job(config, known, **how)
    graded = replace(plain, evaluate=partial(_graded, config, known, plain.evaluate))
    return graded.at(point.values)


def _graded(config: Config, known: Measured, evaluate: Callable[[], Row]) -> Row:
    """A row with the grade of its trust, and what it is cautioned about."""
    row = evaluate()
    trust = _trust(config, known, row)
    cautions = "; ".join(f"{f.name}: {f.words}" for f in trust.findings if f.verdict != GOOD)
    return {**row, "grade": trust.grade, "cautions": cautions}


def _trust(config: Config, known: Measured, row: Row) -> Trust:
    spec, sources = _system(config, known)
    return run_trust(
        spec,
        sources,
        {name: math.nan if value is None else value for name, value in row.items()},
        (),  # a law that does not hold has already ended the run
        warnings=[row["warning"]] if row.get("warning") else [],
        largest_batch=max(known.profile.tail.batches),
        kinds=kinds_of(_provenance(config, known)),
    )


def _method(config: Config) -> str:
    if config.members:
        return "+".join(config.members)
    codec = "" if config.cut == "output" else f" {config.codec['name']}"
    return f"{config.cut}{codec}"


def _system(config: Config, known: Measured) -> tuple[SystemSpec, Mapping[str, Source]]:
    """What `sim` plays at one point."""
    if config.members:
        return groups.system(config, known, config.members)
    if config.alternatives:
        return ways.system(config, known, _ways(config), config.policy)
    spec = system_spec(config)
    source = known.source(config.cut, config.codec["name"], config.device, config.server)
    return spec, dict.fromkeys(spec.fleet.groups, source)


def _write_timeline(store: Store, config: Config, known: Measured) -> None:
    """One replication as a Chrome trace, a bar per stage of every request, and as loads by time."""
    spec, sources = _system(config, known)
    result = sim_run(spec, sources)
    every = passages(result.records, result.steps)
    store.write_text("timeline.json", json.dumps(chrome_trace(every)))
    end_s = spec.horizon_s if spec.workload.requests is None else float(every["done_s"][-1])
    edges_s = np.linspace(0.0, end_s, _BINS + 1)
    columns = {
        "time_s": edges_s[:-1],
        "server_load": load_over_time(every, edges_s) / spec.server.n_gpus,
        **present_over_time(every, edges_s),
    }
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    write_table(store.folder / "load.csv", [dict(zip(columns, row, strict=True)) for row in values])
    print(f"written: {store.folder}/timeline.json (open it in ui.perfetto.dev) and load.csv")
