"""Simulate one system and print what it does, with 95 % intervals.

N devices run the layers before `cut`, encode the feature with `codec`, share `link`; the server
decodes and runs the rest. Payloads, answers and seconds are measured on this machine first (kept in
outputs/cache) and scaled to the device class by the factor that its data sheet states.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenarios.present import table
from scenarios.sweep import multirun
from scenarios.sweep.axes import Point, axes_of, points
from scenarios.sweep.mixed import mark_mixed, tell_mixed
from scenarios.sweep.play import count_engines, play
from scenarios.sweep.rehearse import rehearse
from scenarios.sweep.store import Store, write_table
from scenarios.systems.build import case, job
from scenarios.systems.case import Case
from scenarios.systems.inputs import tell_inputs
from scenarios.systems.library import Library
from scenarios.systems.system import System
from sim import run as sim_run
from sim.devices.training import rounds_of
from sim.measures.columns import passages
from sim.measures.overtime import load_over_time, present_over_time, visits
from sim.measures.timeline import chrome_trace
from sim.measures.training import training_over_time
from sim.specs.check import option

_BINS = 100


@dataclass(frozen=True, kw_only=True)
class Config(System):
    """One point, or a grid of them with `sweep` or -m."""

    timeline: bool = option(
        False,
        "write timeline.json (Perfetto), load.csv and, of training, training.csv of the last point",
    )


def run(config: Config) -> int:
    """Simulate every point, store the rows and print them."""
    store = Store(Path("outputs") / config.name)
    chosen = list(points(config, axes_of(config.sweep)))
    known = _measure(chosen)
    tell_inputs(point.config for point in chosen if not point.error)
    jobs = [job(point, one, graded=True) for point, one in zip(chosen, known, strict=True)]
    if config.dry_run:
        return rehearse(jobs, store, workers=config.workers)
    with multirun.lock(store):
        rows = play(jobs, store, workers=config.workers)
        sound = [i for i, row in enumerate(rows) if not row.get("error")]
        if not sound:  # every point was refused
            raise ValueError(rows[0]["error"])
        last = case(chosen[sound[-1]].config, known[sound[-1]])
        store.write_run(command="simulate", config=asdict(config), provenance=last.provenance,
                        engines=count_engines(jobs))  # fmt: skip
        if config.timeline:
            _write_timeline(store, last)
        if multirun.is_multirun():
            print(table.line(rows[-1]))
            return 0
        rows = mark_mixed(rows)
        store.write_table(rows, config.columns)
    tell_mixed(rows)
    table.show(rows, last.provenance, columns=config.columns)
    if len(rows) == 1:
        table.tell_trust(last.trust(rows[0])).show()
    print("Held in every run: arrived = done + dropped + in flight, Little's law, utilization law.")
    print(f"written: {store.folder}/results.csv and run.json")
    return int(any(row.get("error") for row in rows))


def _measure(chosen: Sequence[Point]) -> list[Any]:
    """What each point plays on, or why there is nothing; the reason is raised of a single one."""
    library = Library([point.config for point in chosen if not point.error])
    known: list[Any] = []
    for point in chosen:
        try:
            known.append(point.error or library.measured(point.config))
        except ValueError as error:
            if len(chosen) == 1:
                raise
            known.append(str(error))
    return known


def _write_columns(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    write_table(path, [dict(zip(columns, row, strict=True)) for row in values])


def _write_timeline(store: Store, last: Case) -> None:
    """One replication as a Chrome trace, a bar per stage of every request, and as loads by time."""
    spec = last.spec
    result = sim_run(spec, last.sources)
    done = passages(result.records, result.steps)
    store.write_text("timeline.json", json.dumps(chrome_trace(done)))
    every = visits(result.book)
    edges_s = np.linspace(0.0, result.book.end.time_s, _BINS + 1)
    columns = {
        "time_s": edges_s[:-1],
        "server_load": load_over_time(every, edges_s) / spec.server.n_gpus,
        **present_over_time(every, edges_s),
    }
    rounds = rounds_of(spec, last.sources)
    if rounds:
        reached = training_over_time(spec, result.book, rounds, edges_s[1:])
        _write_columns(store.folder / "training.csv", {"time_s": edges_s[1:], **reached})
    _write_columns(store.folder / "load.csv", columns)
    print(f"written: {store.folder}/timeline.json (open it in ui.perfetto.dev) and load.csv")
