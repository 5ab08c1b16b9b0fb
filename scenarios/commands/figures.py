"""Play and draw all figures, then put them into one page: outputs/report.html.

Each figure is a command of its own (splitfleet NAME) and keeps its points: run it again and only
what has changed is played. A figure that fails is named on the page, and the status is 1.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

from scenarios.present.report import write_report
from scenarios.shell import commands
from scenarios.shell.names import unknown
from scenarios.sweep.store import Store
from sim.engine.choice import AUTO, ENGINES
from sim.specs.check import at_least, one_of, option

ORDER = (
    "fig1_sparsity", "fig1_server_load", "fig2_throughput", "fig2_runtime", "splits",
    "attribution", "fig3_breakdown", "fig3_codec", "rate_accuracy", "ablation", "links",
    "sensitivity", "long_generation", "exits", "schemes", "sc2", "channel",
)  # fmt: skip
"""Figures that the page draws, in its order; a new one is one word here, a command of that name."""

TIMED = ("fig3_codec",)
"""Those that measure seconds here, with which nothing else may run."""

TAKEN_IN = ("wifi", "search_regret", "search_adaptation", "search_fleet", "nasc")
"""Longer ones: the page shows them where their own commands have drawn them."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which figures, and how they are played."""

    name: str = option("figures", "folder of this command's lock")
    only: list[str] = option([], "some figures; empty: all")
    workers: int = option(2, "figures that are drawn side by side")
    dry_run: bool = option(False, "print the points, play none")
    live: bool = option(False, "measure everything here, use no shipped table")
    engine: str = option(AUTO, "what plays: auto (compiled where it knows all), simpy, compiled")
    overrides: list[str] = option([], "overrides that every figure gets")

    def __post_init__(self) -> None:
        for name in self.only:
            if name not in ORDER + TAKEN_IN:
                raise ValueError(unknown("figure", name, ORDER + TAKEN_IN))
        at_least("workers", self.workers, 1)
        one_of("engine", self.engine, ENGINES)


def run(config: Config) -> int:
    """Run every figure in a process of its own, then write the page."""
    outputs = Path("outputs")
    chosen = config.only or list(ORDER)
    failed: dict[str, str] = {}
    with Store(outputs / config.name).lock():
        for name, (status, why) in _draw_all(chosen, config):
            if status:
                failed[name] = why
        if config.dry_run:
            return int(bool(failed))
        shown = dict.fromkeys([*chosen, *(TAKEN_IN if not config.only else ())])
        drawn = [outputs / name for name in shown if (outputs / name / "figure.png").exists()]
        path = write_report(outputs / "report.html", drawn, failed)
    size = path.stat().st_size / 1e6
    print(f"written: {path} ({len(drawn)} figures, {size:.1f} MB, opens without a network)")
    return int(bool(failed))


def _draw_all(names: list[str], config: Config) -> Iterator[tuple[str, tuple[int, str]]]:
    """Names and ends of figures: those that time something one by one, then `workers` at a time.

    Two figures side by side use two cores better than two processes in each: most of a figure's
    seconds are one process that loads torch and draws.
    """
    timed = [name for name in names if name in TIMED]
    others = [name for name in names if name not in TIMED]
    for name in timed:
        yield name, _figure(name, config, workers=config.workers)
    with ThreadPoolExecutor(config.workers) as pool:
        ends = [pool.submit(_figure, name, config, workers=1) for name in others]
        yield from zip(others, (end.result() for end in ends), strict=True)


def _figure(name: str, config: Config, *, workers: int) -> tuple[int, str]:
    """Status of one figure's command, and its last line where it failed.

    A process each: what one figure holds in memory is gone when the next begins. What it says
    appears when it has ended, so that figures side by side do not mix.
    """
    start = time.monotonic()
    known = {f.name for f in fields(commands.load(name).schema)}
    words = [f"workers={workers}", f"dry_run={str(config.dry_run).lower()}"]
    words += [f"live={str(config.live).lower()}"] if "live" in known else []
    words += [f"engine={config.engine}"] if "engine" in known else []  # some play nothing
    words += config.overrides
    command = [sys.executable, "-m", "scenarios", name, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.strip().splitlines()
    why = lines[-1] if done.returncode and lines else f"status {done.returncode}"
    ended = f"{name}: {time.monotonic() - start:.0f} s" + (f", {why}" if done.returncode else "")
    sys.stderr.write(f"{done.stderr}{ended}\n")
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return done.returncode, why
