"""Answer: everything that a plan found, as JSON, as rows and as a person reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plots import files, plan
from scenarios._results import Store, write_table
from scenarios._table import show_trust
from scenarios.planning.candidate import candidate, front, unknown_row
from scenarios.planning.capacity import Capacity, capacity
from scenarios.planning.choice import choose
from scenarios.planning.options import options
from scenarios.planning.page import page
from scenarios.planning.probe import Player
from scenarios.planning.refusal import Missed, Refusal
from scenarios.planning.subject import Subject, subject
from scenarios.planning.tables import Tables
from scenarios.planning.trust import Finding, Trust, plan_trust, run_trust
from scenarios.planning.why import Why, why

Found = dict[str, Any]

_STAGES = (
    ("device_wait_s", "device: waiting"),
    ("device_service_s", "device: head + encode"),
    ("link_wait_s", "uplink: waiting"),
    ("link_service_s", "uplink: airtime"),
    ("server_wait_s", "server: waiting"),
    ("server_service_s", "server: decode + tail"),
    ("network_s", "network: round trip"),
)


def single(config: Any, *, play: Player) -> Found:
    """N* of one system with all that explains it.

    Raises:
        Refusal: no number of devices can be named, with the constraint that failed at N = 1.
    """
    asked = alone(config)
    check_accuracy(config, asked)
    found = capacity(asked.spec, asked.sources, config.slo.goals, budget=config.plan, play=play)
    return explained(config, asked, found, play=play)


def chosen(config: Any, *, play: Player) -> Found:
    """The best system that `plan.over` spans, with the table of all of them.

    Raises:
        Refusal: no candidate can serve even one device.
    """
    goals = config.slo.goals
    spanned = options(config)
    known = Tables([option.config for option in spanned])
    candidates, rows, refused = [], [], []
    for values, each in spanned:
        try:
            candidates.append(candidate(values, subject(each, known.of(each)), goals))
        except ValueError as error:  # a combination that was not traced
            rows.append(unknown_row(values, str(error)))
            refused.append(error)
    if not candidates:
        raise refused[0]
    best = choose(candidates, goals, partial(check_accuracy, config), budget=config.plan, play=play)
    spent = sum(each.found.requests for each in candidates if each.found)
    best.found = capacity(
        best.subject.spec, best.subject.sources, goals, budget=config.plan, play=play
    )
    found = explained(config, best.subject, best.found, play=play)
    on_front = front(candidates)
    ranked = sorted(candidates, key=lambda each: -each.n_most)
    table = [*(each.row(front=id(each) in on_front) for each in ranked), *rows]
    return {**found, "requests": found["requests"] + spent, "choice": table}


def explained(config: Any, asked: Subject, found: Capacity, *, play: Player) -> Found:
    """A capacity with why it is what it is, and how far to believe it."""
    reasons = why(asked.spec, asked.sources, found, play=play)
    return described(asked, found, reasons, judged(config, asked, found, reasons))


def judged(config: Any, asked: Subject, found: Capacity, reasons: Why) -> Trust:
    """How far to believe it."""
    fleet = replace(found.spec.fleet, n_devices=max(1, found.n_star))
    base = run_trust(
        replace(found.spec, fleet=fleet),
        asked.sources,
        reasons.columns,
        reasons.checks,
        largest_batch=asked.largest_batch,
    )
    return plan_trust(
        base,
        n_star=found.n_star,
        half_width=found.root.half_width,
        target=config.plan.target(found.root.root),
        monotone=found.monotone,
        spread_devices=reasons.spread / max(found.root.slope, 1e-9),
        collapsed=max(found.collapsed, reasons.collapsed),
        stable=found.stable,
        gains=reasons.gains,
        kinds=asked.kinds,
    )


def alone(config: Any) -> Subject:
    """The one system that a configuration describes."""
    return subject(config, Tables([config]).of(config))


def check_accuracy(config: Any, asked: Subject) -> None:
    """Refuse a codec that costs more answers than allowed."""
    limit = config.slo.accuracy_drop_pp
    if limit is None:
        return
    if asked.drop is None:
        raise Refusal(
            f"slo.accuracy_drop_pp cannot be judged for {asked.words}: the table holds no answers"
            " (random weights), or none without a codec (mixed fleets)"
        )
    if asked.drop.hi > limit:
        raise Missed(
            f"even one device misses accuracy_drop_pp <= {limit:g}: {asked.words} loses"
            f" {asked.drop.mean:.2f} [{asked.drop.lo:.2f}, {asked.drop.hi:.2f}] points"
        )


def described(asked: Subject, found: Capacity, reasons: Why, trust: Trust) -> Found:
    """JSON of an answer."""
    columns = reasons.columns
    return {
        **asked.names,
        "n_star": found.n_star,
        "n_star_lo": found.n_star_lo,
        "n_star_hi": found.n_star_hi,
        "n_star_lo_total": min(reasons.total_lo, found.n_star_lo),
        "n_star_hi_total": max(reasons.total_hi, found.n_star_hi),
        "half_width": found.root.half_width,
        "confidence": found.spec.confidence,
        "goal": str(found.goal),
        "column": found.goal.column,
        "limit": found.goal.limit,
        "curve": [
            {"n": n, "value": each.mean, "lo": each.lo, "hi": each.hi, "n_runs": n_runs}
            for n, each, n_runs in zip(found.points, found.curve, found.runs, strict=True)
        ],
        "binding": reasons.binding.name,
        "binds_surely": reasons.surely,
        "next_binding": reasons.next_binding.name if reasons.next_binding else None,
        "words": asked.words,
        "gains": [asdict(gain) for gain in reasons.gains],
        "utilization": {
            place: columns[f"{place}_utilization"] for place in ("device", "link", "server")
        },
        "stages": [
            {
                "stage": name,
                "words": words,
                "mean_s": columns[name],
                "slowest_s": columns[f"{name}_slowest"],
            }
            for name, words in _STAGES
        ],
        "at_n_star": dict(columns),
        "accuracy_drop_pp": asdict(asked.drop) if asked.drop is not None else None,
        "kinds": dict(asked.kinds),
        "grade": trust.grade,
        "action": trust.action,
        "trust": [asdict(finding) for finding in trust.findings],
        "n_runs": found.n_runs,
        "collapsed_runs": max(found.collapsed, reasons.collapsed),
        "points": list(found.points),
        "warmup_s": found.spec.warmup_s,
        "horizon_s": found.spec.horizon_s,
        "seed": found.spec.seed,
        "requests": found.requests + reasons.requests,
        "provenance": dict(asked.provenance),
    }


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


def store(folder: Store, found: Found) -> None:
    """plan.json, plan.csv, the figure and plan.html."""
    folder.write_text("plan.json", as_json(found))
    write_table(folder.folder / "plan.csv", [flat(found), *found.get("choice", [])])
    files.save(plan.draw(found), folder.folder)
    picture = folder.folder / "figure.png"
    folder.write_text("plan.html", page(found, headline(found), picture))


def as_json(found: Mapping[str, Any]) -> str:
    """The text of plan.json."""
    return json.dumps(_plain(found), indent=2, default=str) + "\n"


def flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """One row: the scalars, the gains by name, the columns at N*."""
    row = scalars(found)
    for gain in found["gains"]:
        for end, name in (("devices", ""), ("lo", "_lo"), ("hi", "_hi")):
            row[f"devices_per_percent_{gain['name']}{name}"] = gain[end]
    return {**row, **found["at_n_star"]}


def scalars(found: Mapping[str, Any]) -> dict[str, Any]:
    """What of an answer fits into a cell."""
    return {k: v for k, v in found.items() if isinstance(v, str | int | float | bool | None)}


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
    pruned = sum(row["n_star"] is None for row in rows)
    table.caption = f"{pruned} further systems set aside by bounds or a few runs: plan.csv"
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


def _plain(value: Any) -> Any:
    """JSON has no NaN: unknown numbers become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
