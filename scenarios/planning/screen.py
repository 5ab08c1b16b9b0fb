"""Screen: a plan as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scenarios.present.table import show_trust
from sim.planning.finding import Finding, Trust


def headline(found: Mapping[str, Any]) -> str:
    """The answer in one sentence."""
    devices = "device" if found["n_star"] == 1 else "devices"
    return (
        f"{found['n_star']} {devices} [{found['n_star_lo']}, {found['n_star_hi']}] at"
        f" {100 * found['confidence']:g} % confidence; {_binds(found)}; {found['words']}"
    )


def _binds(found: Mapping[str, Any]) -> str:
    words = _words(found, "binding")
    return f"{words} binds" if found["binds_surely"] else f"nothing surely binds, closest {words}"


def _words(found: Mapping[str, Any], key: str) -> str:
    """The resource that `key` names, in words."""
    words = {gain["name"]: str(gain["words"]) for gain in found["gains"]}
    return words.get(found[key], "nothing that can be bought")


def show(found: Mapping[str, Any]) -> None:
    """Print the sentence, what is busy, what would help and where slow requests wait."""
    console = Console()
    console.print(escape(headline(found)), style="bold", highlight=False, soft_wrap=True)
    total = (found["n_star_lo_total"], found["n_star_hi_total"])
    console.print(
        escape(
            f"limit {found['goal']}; after that binds {_words(found, 'next_binding')}; with the"
            f" sampling error of the trace table [{total[0]}, {total[1]}];"
            f" {found['requests']:,} requests, {found['n_runs']} runs per point"
        ),
        highlight=False,
        soft_wrap=True,
    )
    if found.get("choice"):
        console.print(_choice(found["choice"]))
    console.print(_gains(found))
    console.print(_stages(found))
    show_trust(Trust(findings=tuple(Finding(**finding) for finding in found["trust"])))


def _choice(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The Pareto front and what was searched; the rest is in plan.csv."""
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    columns = ("system", "N*", "drop pp, at most", "device mJ", "device ms", "Pareto")
    for heading in columns:
        table.add_column(heading, justify="left" if heading == "system" else "right")
    for row in rows:
        if row["n_star"] is None:
            continue
        drop = row["accuracy_drop_pp_hi"]
        table.add_row(
            escape(row["label"]),
            escape(f"{row['n_star']} [{row['n_star_lo']}, {row['n_star_hi']}]"),
            "-" if drop is None else f"{drop:.2f}",
            _milli(row["device_energy_j"], 1),
            _milli(row["device_s"], 2),
            "*" if row["pareto"] else "",
        )
    failed = [row["label"] for row in rows if row["failed"]]
    missing = sum(row["failed"] is None for row in rows)
    pruned = sum(row["n_star"] is None for row in rows) - len(failed) - missing
    said = [f"{pruned} set aside by bounds or a few runs"]
    said += [f"{missing} that no table holds"] if missing else []
    said += [f"{len(failed)} without an answer ({', '.join(failed)})"] if failed else []
    table.caption = escape(f"{'; '.join(said)}: see plan.csv")
    return table


def _milli(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{1e3 * value:.{digits}f}"


def _gains(found: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in ("what", "busy at N* %", "devices per 1 % more", "interval", "numbers"):
        what = heading == "what"
        table.add_column(heading, justify="left" if what else "right", no_wrap=what)
    busy = {"server": "server", "uplink": "link", "device": "device"}
    for gain in found["gains"]:
        place = busy.get(gain["name"])
        share = f"{100 * found['utilization'][place]:.0f}" if place else ""
        table.add_row(
            gain["words"],
            share,
            f"{gain['devices']:+.2f}",
            escape(f"[{gain['lo']:+.2f}, {gain['hi']:+.2f}]"),
            found["kinds"][gain["name"]],
        )
    return table


def _stages(found: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in ("stage", "mean ms", "slowest 5 %, ms"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for stage in found["stages"]:
        cells = (f"{1e3 * stage[name]:.2f}" for name in ("mean_s", "slowest_s"))
        table.add_row(stage["words"], *cells)
    return table
