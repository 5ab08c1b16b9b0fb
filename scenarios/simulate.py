"""Simulate one system and print what it does, with 95 % intervals.

N devices run the layers before `cut`, encode the feature with `codec`, share `link`; the server
decodes and runs the rest. Payloads, answers and seconds are measured on this machine first (kept in
outputs/cache) and scaled to the device class by the factor that its data sheet states.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scenarios import _request, _table
from scenarios._measured import measure
from scenarios._play import play
from scenarios._point import job
from scenarios._results import Store
from scenarios._sweep import axes_of, points
from scenarios._system import Scenario


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


def run(config: Config) -> int:
    """Simulate every point, store the rows and print them."""
    store = Store(Path("outputs") / config.name)
    chosen = [point.config for point in points(config, axes_of(config.sweep))]
    measured = [measure(each.model, [each.codec], [each.cut]) for each in chosen]
    jobs = [
        job(each, known, cut=each.cut, setting=each.codec["name"], method=_method(each))
        for each, known in zip(chosen, measured, strict=True)
    ]
    with _request.locked(store):
        rows = play(jobs, store)
        if _request.is_multirun():
            print(_table.line(rows[-1]))
            return 0
        store.write_table(rows)
        provenance = measured[-1].describe(chosen[-1].device, chosen[-1].server)
        store.write_run(command="simulate", config=asdict(config), provenance=provenance)
    _table.show(rows, provenance)
    print(f"written: {store.folder}/results.csv and run.json")
    return int(any(row.get("error") for row in rows))


def _method(config: Config) -> str:
    codec = "" if config.cut == "output" else f" {config.codec['name']}"
    return f"{config.cut}{codec}"
