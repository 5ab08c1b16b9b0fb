"""Simulate one system and print what it does, with 95 % intervals.

N devices run the layers before `cut`, encode the feature with `codec`, share `link`; the server
decodes and runs the rest. Payloads, answers and seconds are measured on this machine first (kept in
outputs/cache) and scaled to the device class by the factor that its data sheet states.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scenarios import _members, _request, _table
from scenarios._measured import Measured, measure
from scenarios._members import Member
from scenarios._play import Job, failing, play
from scenarios._point import job
from scenarios._rehearse import rehearse
from scenarios._results import Store
from scenarios._sweep import Point, axes_of, points
from scenarios._system import Scenario, system_spec
from sim import run as sim_run
from sim.timeline import chrome_trace


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
    timeline: bool = field(
        default=False,
        metadata={"help": "write timeline.json of one run of the last point, for Perfetto"},
    )


def run(config: Config) -> int:
    """Simulate every point, store the rows and print them."""
    store = Store(Path("outputs") / config.name)
    chosen = list(points(config, axes_of(config.sweep)))
    tables = _tables(chosen)
    jobs = [_job(point, known) for point, known in zip(chosen, tables, strict=True)]
    if config.dry_run:
        return rehearse(jobs, store, workers=config.workers)
    with _request.locked(store):
        rows = play(jobs, store, workers=config.workers)
        sound = [i for i, known in enumerate(tables) if isinstance(known, Measured)]
        if not sound:  # every point was refused before anything was measured
            raise ValueError(rows[0]["error"])
        last, known = chosen[sound[-1]].config, tables[sound[-1]]
        provenance = _provenance(last, known)
        store.write_run(command="simulate", config=asdict(config), provenance=provenance)
        if config.timeline:
            _write_timeline(store, last, known)
        if _request.is_multirun():
            print(_table.line(rows[-1]))
            return 0
        store.write_table(rows)
    _table.show(rows, provenance)
    print(f"written: {store.folder}/results.csv and run.json")
    return int(any(row.get("error") for row in rows))


def _tables(chosen: Sequence[Point]) -> list[Any]:
    """What each point plays on: measured once per network, codec and cut; or why it cannot be."""
    known: dict[str, Any] = {}
    found = []
    for point in chosen:
        each = point.config
        key = repr((each.model, each.codec, each.cut, each.members, list(each.fleet.groups)))
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
        return _members.measured(config, config.members)
    return measure(config.model, [config.codec], [config.cut])


def _provenance(config: Config, known: Measured) -> dict[str, Any]:
    """Where every number comes from; of unlike groups, the first one's and all by name."""
    if not config.members:
        return known.describe(config.device, config.server)
    each = {
        name: known.describe(_members.sheet(member), config.server)
        for name, member in config.members.items()
    }
    return {**next(iter(each.values())), "members": each}


def _job(point: Point, known: Any) -> Job:
    method = _method(point.config)
    if isinstance(known, str):
        words = " ".join(f"{key}={value}" for key, value in point.values.items())
        return failing(f"{words}: {known}", {"method": method})
    if point.config.members:
        return _members.job(point.config, known, point.config.members)
    how = {"cut": point.config.cut, "setting": point.config.codec["name"], "method": method}
    return job(point.config, known, **how)


def _method(config: Config) -> str:
    if config.members:
        return "+".join(config.members)
    codec = "" if config.cut == "output" else f" {config.codec['name']}"
    return f"{config.cut}{codec}"


def _write_timeline(store: Store, config: Config, known: Measured) -> None:
    """One replication as a Chrome trace: a bar per stage of every request."""
    if config.members:
        spec, sources = _members.system(config, known, config.members)
    else:
        spec = system_spec(config)
        source = known.source(config.cut, config.codec["name"], config.device, config.server)
        sources = dict.fromkeys(spec.fleet.groups, source)
    trace = chrome_trace(sim_run(spec, sources).records)
    store.write_text("timeline.json", json.dumps(trace))
    print(f"written: {store.folder}/timeline.json (open it in ui.perfetto.dev)")
