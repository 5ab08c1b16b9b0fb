"""Every figure by both engines, each in an empty folder: whether the tables are the same, and what
simulating takes of their CPU time.

Two folders: the compiled engine where it knows the system (engine=auto), and SimPy with the tables
of codecs and layers that the first has measured: all that is timed on the spot lies in
outputs/cache. Between the engines no cell may differ, and nothing may be timed anew. With `--again`
the first engine draws once more, with tables of its own: cells that then differ are seconds that
are timed on the spot, or follow from such (`timed`). `simulating` is the CPU time within `sim.run`
and `sim.replicate`, numba's start included; the rest of a figure reads tables, runs networks,
draws. Of runs that engine=auto leaves to SimPy (`left`) the reasons stand behind.

`python -m tests.bench.two_folders [FIGURES] [--overrides ...] [--keep FOLDER] [--again]`; all
figures of `splitfleet figures` take a quarter of an hour of SimPy alone, those of schemes several
times that.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from scenarios.commands.figures import ORDER

ROOT = Path(__file__).parents[2]
FIRST, AGAIN, SLOW = "auto", "again", "simpy"
CACHE = Path("outputs", "cache")
ENDS = ("_lo", "_hi", "_lo_total", "_hi_total")
"""Columns of intervals go without saying."""


class Spent(NamedTuple):
    """CPU seconds of a figure's process, of simulating in it, and runs by engine."""

    status: int
    total_s: float
    simulating_s: float
    runs: dict[str, int]

    @property
    def other_s(self) -> float:
        """What is no simulation."""
        return self.total_s - self.simulating_s


class Watch:
    """CPU seconds within `sim.run` and `sim.replicate`, once where one calls the other."""

    def __init__(self) -> None:
        self.seconds, self.runs = 0.0, Counter[str]()
        self._depth = 0

    def over(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function under the watch."""

        def watched(*args: Any, **named: Any) -> Any:
            began, self._depth = time.process_time(), self._depth + 1
            try:
                return call(*args, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.process_time() - began

        return watched

    def count(self, engine: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, which plays one run."""

        def counted(*args: Any, **named: Any) -> Any:
            self.runs[engine] += 1
            return call(*args, **named)

        return counted


def watch() -> Watch:
    """Put everything that simulates in this process under a watch, before commands are loaded."""
    import sim

    watching, inside = Watch(), importlib.import_module("sim.system")
    known = {call: watching.over(call) for call in (sim.run, sim.replicate)}
    for engine, name in (("compiled", "_play_compiled"), ("simpy", "play")):
        known[getattr(inside, name)] = watching.count(engine, getattr(inside, name))
    for module in [m for name, m in sys.modules.items() if name.split(".")[0] == "sim"]:
        for name, value in list(vars(module).items()):
            if callable(value) and getattr(value, "__hash__", None) and value in known:
                setattr(module, name, known[value])
    return watching


def draw_here(name: str, words: list[str]) -> int:
    """Draw one figure in this process and this folder; the last line says what it took."""
    watching = watch()
    from scenarios.__main__ import run

    status = run([name, *words])
    print(json.dumps([status, time.process_time(), watching.seconds, watching.runs]))
    return status


def draw(name: str, folder: Path, engine: str, overrides: list[str]) -> Spent:
    """Draw one figure in a process and a folder."""
    from dataclasses import fields

    from scenarios.shell import commands

    known = {field.name for field in fields(commands.load(name).schema)}
    words = [f"engine={engine}"] if "engine" in known else []
    words += [word for word in overrides if word.split("=")[0].split(".")[0] in known]
    command = [sys.executable, "-m", "tests.bench.two_folders", "--draw", name, "--overrides"]
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [*command, "workers=1", *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        return Spent(*json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        sys.exit(f"{name}, engine={engine}: {done.stderr}")


def timings(folder: Path) -> set[str]:
    """The files of seconds and payloads that were measured in a folder."""
    names = {path.name for path in (folder / CACHE).glob("*")}
    return {name for name in names if not name.startswith("known-")}


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a figure's results.csv."""
    with (folder / "outputs" / name / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def apart(one: Path, other: Path, name: str) -> list[str]:
    """The columns of a figure that differ between two folders; `rows` if their numbers do."""
    mine, theirs = table(one, name), table(other, name)
    if len(mine) != len(theirs):
        return ["rows"]
    columns = dict.fromkeys(key for row in (*mine, *theirs) for key in row)
    pairs = list(zip(mine, theirs, strict=True))
    found = [c for c in columns if any(a.get(c) != b.get(c) for a, b in pairs)]
    texts = [(folder / "outputs" / name / "table.md").read_text() for folder in (one, other)]
    return found or (["table.md"] if texts[0] != texts[1] else [])


def left_for(folder: Path, name: str) -> list[str]:
    """Why points of a figure were left to SimPy."""
    engines = json.loads((folder / "outputs" / name / "run.json").read_text())["engines"]
    return [said.removeprefix("simpy: ") for said in engines if said.startswith("simpy")]


def compare(
    name: str, work: Path, overrides: list[str], *, again: bool
) -> tuple[dict[str, Spent], bool]:
    """Draw a figure in all folders and print what is found; whether the engines agree."""
    before = timings(work / FIRST)
    spent = {FIRST: draw(name, work / FIRST, "auto", overrides)}
    timed = []
    if again and timings(work / FIRST) != before:  # something was timed for it
        draw(name, work / AGAIN, "auto", overrides)
        found = [c for c in apart(work / FIRST, work / AGAIN, name) if c != "point_id"]
        timed = [c for c in found if not c.endswith(ENDS)]
    if (work / FIRST / CACHE).is_dir():
        shutil.copytree(work / FIRST / CACHE, work / SLOW / CACHE, dirs_exist_ok=True)
    spent[SLOW] = draw(name, work / SLOW, "simpy", overrides)
    wrong = _disagreements(name, work, spent[SLOW])
    _report(name, table(work / FIRST, name), spent)
    left = left_for(work / FIRST, name) if spent[FIRST].runs.get("simpy") else []
    notes = [
        f"{key}: {', '.join(said)}" for key, said in (("left", left), ("timed", timed)) if said
    ]
    print("; ".join([*(wrong or ["the same"]), *notes]), flush=True)
    return spent, not wrong


def _disagreements(name: str, work: Path, slow: Spent) -> list[str]:
    """Columns that differ between the engines, and what makes that comparison none."""
    wrong = apart(work / FIRST, work / SLOW, name)
    if compiled := slow.runs.get("compiled"):
        wrong.append(f"{compiled} runs by the compiled engine under engine=simpy")
    if anew := sorted(timings(work / SLOW) - timings(work / FIRST)):
        wrong.append(f"timed anew: {', '.join(anew)}")
    return wrong


def _report(name: str, rows: list[dict[str, str]], spent: dict[str, Spent]) -> None:
    """The numbers of a figure; what was found stands behind them."""
    fast, slow = spent[FIRST], spent[SLOW]
    print(
        f"{name:18}{len(rows):>6}{len(rows[0]):>6}{sum(slow.runs.values()):>8}"
        f"{fast.runs.get('simpy', 0):>6}{slow.simulating_s:>10.1f}{fast.simulating_s:>9.2f}"
        f"{_ratio(slow, fast):>7}{slow.other_s:>8.1f}{fast.other_s:>7.1f}",
        end="  ",
    )


def _ratio(slow: Spent, fast: Spent) -> str:
    return f"{slow.simulating_s / fast.simulating_s:.1f}" if fast.simulating_s else "-"


def main() -> None:
    """Draw and compare the figures that are asked for, all of them by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*")
    parser.add_argument("--draw", default="")
    parser.add_argument("--overrides", nargs="*", default=[])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    if given.draw:
        sys.exit(draw_here(given.draw, given.overrides))
    print(f"{'':18}{'rows':>6}{'cols':>6}{'runs':>8}{'left':>6}{'SimPy s':>10}{'auto s':>9}"
          f"{'ratio':>7}{'other s':>8}{'':>7}")  # fmt: skip
    sums: dict[str, list[Spent]] = {FIRST: [], SLOW: []}
    agree = True
    with tempfile.TemporaryDirectory() as temporary:
        work = given.keep or Path(temporary)
        for name in given.figures or ORDER:
            spent, same = compare(name, work, given.overrides, again=given.again)
            agree = agree and same
            for folder, one in spent.items():
                sums[folder].append(one)
    slow_s, fast_s = (sum(one.simulating_s for one in sums[f]) for f in (SLOW, FIRST))
    rest_s = sum(one.other_s for one in sums[FIRST])
    print(
        f"simulating: {slow_s:.1f} s by SimPy, {fast_s:.2f} s by engine=auto,"
        f" {slow_s / fast_s:.1f} times; all else: {rest_s:.1f} s"
    )
    sys.exit(0 if agree else "the engines do not agree")


if __name__ == "__main__":
    main()
