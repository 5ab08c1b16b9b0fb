"""Answer: everything that a plan found, as JSON, as rows and as a person reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scenarios._results import Store, write_table
from scenarios.planning.capacity import Capacity, capacity
from scenarios.planning.probe import Player
from scenarios.planning.refusal import Refusal
from scenarios.planning.subject import Subject
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


def single(config: Any, asked: Subject, *, play: Player) -> Found:
    """N* of one system with all that explains it.

    Raises:
        Refusal: no number of devices can be named, with the constraint that failed at N = 1.
    """
    check_accuracy(config, asked)
    found = capacity(asked.spec, asked.sources, config.slo.goals, budget=config.plan, play=play)
    reasons = why(asked.spec, asked.sources, found, play=play)
    return described(asked, found, reasons)


def check_accuracy(config: Any, asked: Subject) -> None:
    """Refuse a codec that costs more answers than allowed."""
    limit = config.slo.accuracy_drop_pp
    if limit is None:
        return
    if asked.drop is None:
        raise Refusal(
            f"slo.accuracy_drop_pp cannot be judged for {asked.words}: its answers are not known"
        )
    if asked.drop.hi > limit:
        raise Refusal(
            f"even one device misses accuracy_drop_pp <= {limit:g}: {asked.words} loses"
            f" {asked.drop.mean:.2f} [{asked.drop.lo:.2f}, {asked.drop.hi:.2f}] points"
        )


def described(asked: Subject, found: Capacity, reasons: Why) -> Found:
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
        "binding": reasons.binding.name,
        "next_binding": reasons.resources[1].name,
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
        "n_runs": found.n_runs,
        "points": list(found.points),
        "warmup_s": found.spec.warmup_s,
        "horizon_s": found.spec.horizon_s,
        "seed": found.spec.seed,
        "requests": found.requests + reasons.requests,
        "provenance": dict(asked.provenance),
    }


def headline(found: Mapping[str, Any]) -> str:
    """The answer in one sentence."""
    gains = {gain["name"]: gain["words"] for gain in found["gains"]}
    devices = "device" if found["n_star"] == 1 else "devices"
    return (
        f"{found['n_star']} {devices} [{found['n_star_lo']}, {found['n_star_hi']}] at"
        f" {100 * found['confidence']:g} % confidence; {gains[found['binding']]} binds;"
        f" {found['words']}"
    )


def store(folder: Store, found: Found) -> None:
    """plan.json and plan.csv."""
    text = json.dumps(_plain(found), indent=2, default=str) + "\n"
    folder.write_text("plan.json", text)
    write_table(folder.folder / "plan.csv", [flat(found)])


def flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """One row: the scalars, the gains by name, the columns at N*."""
    row = {
        key: value
        for key, value in found.items()
        if isinstance(value, str | int | float | bool) or value is None
    }
    for gain in found["gains"]:
        for end, name in (("devices", ""), ("lo", "_lo"), ("hi", "_hi")):
            row[f"devices_per_percent_{gain['name']}{name}"] = gain[end]
    return {**row, **found["at_n_star"]}


def show(found: Mapping[str, Any]) -> None:
    """Print the sentence, what is busy, what would help and where slow requests wait."""
    console = Console()
    console.print(escape(headline(found)), style="bold", highlight=False, soft_wrap=True)
    total = (found["n_star_lo_total"], found["n_star_hi_total"])
    console.print(
        escape(
            f"limit {found['goal']}; with the sampling error of the trace table"
            f" [{total[0]}, {total[1]}]; {found['requests']:,} requests in"
            f" {found['n_runs']} runs per point"
        ),
        highlight=False,
        soft_wrap=True,
    )
    console.print(_gains(found))
    console.print(_stages(found))


def _gains(found: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in ("what", "busy at N* %", "devices per 1 % more", "interval", "numbers"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
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
