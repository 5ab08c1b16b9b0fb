"""Screen: a plan as a person reads it, in a terminal and on a page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.planning.bill import say_bill
from scenarios.present.summary import Summary, between, interval, number
from scenarios.present.table import say_scheme, tell_trust
from sim.planning.trust.finding import Finding, Trust

_CHECKED = ("verdict", "what was checked", "figures")


def headline(found: Mapping[str, Any]) -> str:
    """The answer in one sentence."""
    devices = "device" if found["n_star"] == 1 else "devices"
    count = f"{found['n_star']} {devices} [{found['n_star_lo_total']}, {found['n_star_hi_total']}]"
    if found["n_least"] > 1:
        least = f"{found['n_least']} [{found['n_least_lo']}, {found['n_least_hi']}]"
        count = f"from {least} to {count}"
    words = _words(found, "binding")
    binds = words if found["binds_surely"] else f"unsure, perhaps {words}"
    sure = f"at {100 * found['confidence']:g} % confidence"
    if found["two_regimes"]:
        sure += ", the most at which no run collapsed"
    return f"{count} {sure}; bottleneck: {binds}; {found['words']}"


def summary(found: Mapping[str, Any], *, every: bool = False) -> Summary:
    """A plan; of several systems those that were searched, or `every` one."""
    words = _words(found, "next_binding")
    then = f"next bottleneck: {words}" if words else "no other resource would help"
    runs = f"[{found['n_star_lo']}, {found['n_star_hi']}]"
    table = f"{runs} were table and machines exact; " if found["cut"] != "-" else ""
    n_runs = (found["two_regimes"] or found)["n_runs"]
    fewer = "fewer devices miss it, too; " if found["n_least"] > 1 else ""
    above = f"above that, {found['above']}; " if found["above"] else ""
    limit = (
        f"limit {found['goal']}; {fewer}{above}{then}; {table}{found['requests']:,} requests,"
        f" {n_runs} runs per point"
    )
    trust = Trust(findings=tuple(Finding(**finding) for finding in found["trust"]))
    choice = [_choice(found["choice"], every=every)] if found.get("choice") else []
    shown = (_gains(found), _stages(found), *say_bill(found))
    sections = (*choice, *shown, tell_trust(trust, _CHECKED))
    origin = say_scheme(found["provenance"]).strip()
    return Summary(title=headline(found), finding=limit, sections=sections, origin=origin)


def _words(found: Mapping[str, Any], key: str) -> str:
    """The resource that `key` names, in words; empty where it names none."""
    words = {gain["name"]: str(gain["words"]) for gain in found["gains"]}
    return words.get(found[key], "")


def _choice(rows: Sequence[Mapping[str, Any]], *, every: bool) -> Summary:
    """The Pareto front and what was searched; or all of it, with what became of each."""
    failed = [row["label"] for row in rows if row["failed"]]
    missing = sum(row["failed"] is None for row in rows)
    pruned = sum(row["n_star"] is None for row in rows) - len(failed) - missing
    said = [f"{pruned} set aside by bounds or a few runs"]
    said += [f"{missing} that no table holds or that cannot be"] if missing else []
    said += [f"{len(failed)} without an answer ({', '.join(failed)})"] if failed else []
    unlike = len({row["scheme"] for row in rows}) > 1
    named = {"system": True, "N*": True, "right %": unlike, "drop pp, at most": True,
             "device mJ": True, "device ms": True, "Pareto": True,
             "what became of it": every}  # fmt: skip
    shown = [row for row in rows if every or row["n_star"] is not None]
    cells = [
        [cell for cell, wanted in zip((*_system(row), row["fate"]), named.values(), strict=True)
         if wanted]
        for row in shown
    ]  # fmt: skip
    return Summary(
        title="Systems compared",
        columns=tuple(name for name, wanted in named.items() if wanted),
        rows=tuple(map(tuple, cells)),
        origin=f"{'; '.join(said)}: see plan.csv",
    )


def _system(row: Mapping[str, Any]) -> tuple[str, ...]:
    n_star = "-" if row["n_at_most"] is None else f"<= {number(row['n_at_most'])}"
    if row["n_star"] is not None:
        n_star = interval(row["n_star"], row["n_star_lo"], row["n_star_hi"])
    energy_mj, device_ms = (
        number(None if row[name] is None else 1e3 * row[name])
        for name in ("device_energy_j", "device_s")
    )
    drop, right = number(row["accuracy_drop_pp_hi"]), between(row, "accuracy", 100)
    return (row["label"], n_star, right, drop, energy_mj, device_ms, "*" * row["pareto"])


def _gains(found: Mapping[str, Any]) -> Summary:
    busy = {"server": "server", "uplink": "link", "device": "device"}

    def gain_row(gain: Mapping[str, Any]) -> tuple[str, ...]:
        place = busy.get(gain["name"])
        share = number(100 * found["utilization"][place]) if place else ""
        lo, hi = (None if math.isnan(gain[end]) else gain[end] for end in ("lo", "hi"))
        more = interval(gain["devices"], lo, hi, sign=True)
        return (gain["words"], share, more, found["kinds"][gain["name"]])

    return Summary(
        title="What would help",
        columns=("resource", "busy at N*, %", "devices per 1 % more", "numbers"),
        rows=tuple(map(gain_row, found["gains"])),
    )


def _stages(found: Mapping[str, Any]) -> Summary:
    mean = "mean per step, ms" if "ttft_s" in found["at_n_star"] else "mean ms"
    return Summary(
        title="Where time goes at N*",
        columns=("stage", mean, "slowest 5 %, ms"),
        rows=tuple(
            (stage["words"], number(1e3 * stage["mean_s"]), number(1e3 * stage["slowest_s"]))
            for stage in found["stages"]
            if stage["mean_s"] > 0.0 or stage["slowest_s"] > 0.0
        ),
    )
