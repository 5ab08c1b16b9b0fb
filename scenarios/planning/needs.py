"""Needs: the answer to the inverse question, as JSON, as rows and as a person reads it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from scenarios.planning.answer import Found, check_accuracy, scalars, write_files
from scenarios.planning.bill import NO_BILL, bill_remedy, say_bills
from scenarios.planning.candidate import name_parts
from scenarios.present.summary import Summary, interval, number
from scenarios.present.table import say_scheme
from scenarios.shell.forks import Ahead
from scenarios.sweep.store import Store
from scenarios.systems.case import Case
from sim.planning.runs.probe import Player
from sim.planning.search.inverse import inverse
from sim.planning.search.remedy import Remedy
from sim.planning.trust.finding import GOOD
from sim.planning.trust.judge import judge_remedy


def find_needs(config: Any, asked: Case, *, play: Player) -> Found:
    """The least resources with which `asked` serves `plan.n_devices`, each with its grade.

    Raises:
        Refusal: no resource by itself is enough, or the budget ended.
    """
    check_accuracy(config, asked)
    found = inverse(
        asked.spec, asked.sources, config.slo.goals, config.plan.n_devices,
        spare=config.plan.spare, budget=config.plan, play=play,
    )  # fmt: skip
    rows, requests = [], found.requests
    for remedy in found.remedies:
        row, cost = _judge(asked, remedy, config.plan.half_width, play)
        rows.append(row)
        requests += cost
    return {
        **name_parts(asked),
        "n_devices": found.n_devices,
        "spare": config.plan.spare,
        "goal": " and ".join(map(str, config.slo.goals)),
        "words": asked.words,
        "confidence": asked.spec.confidence,
        "remedies": rows,
        "kinds": dict(asked.kinds),
        "seed": asked.spec.seed,
        "requests": requests,
        "provenance": dict(asked.provenance),
        "engine": asked.engine,
    }


def _judge(asked: Case, remedy: Remedy, target: float, play: Player) -> tuple[Found, int]:
    """A remedy's row, and the requests of the runs that look at its system."""
    row: Found = {
        key: getattr(remedy, key)
        for key in ("name", "words", "least", "lo", "hi", "spare", "sure", "unit")
    }
    if remedy.held is None:
        unknown: Found = {"goal": None, "grade": None, "action": None, "cautions": "", "trust": []}
        return {**row, **NO_BILL, **unknown}, 0
    trust, cost, columns = judge_remedy(
        remedy, remedy.held, target, asked.kinds, largest_batch=asked.largest_batch, play=play
    )
    trust = asked.weigh_memory(trust)
    against = [finding for finding in trust.findings if finding.verdict != GOOD]
    judged = {
        "goal": str(remedy.held.goal),
        "grade": trust.grade,
        "action": trust.action,
        "cautions": "; ".join(f"{finding.name}: {finding.words}" for finding in against),
        "trust": [asdict(finding) for finding in trust.findings],
    }
    return {**row, **bill_remedy(asked, remedy, remedy.held, columns), **judged}, cost


def figures() -> Callable[[Any], Any]:
    """What draws an answer; matplotlib."""
    from plots.plan_inverse import draw

    return draw


def store(folder: Store, found: Found, drawing: Ahead) -> None:
    """plan.json, plan.csv with a row per remedy, the figure and plan.html."""
    rows = [{key: row[key] for key in row if key != "trust"} for row in found["remedies"]]
    write_files(folder, found, rows, drawing, summary(found, every=True))


def flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """One row: the scalars, and every remedy's least with its interval and grade."""
    row = scalars(found)
    for remedy in found["remedies"]:
        for key, end in (("least", ""), ("lo", "_lo"), ("hi", "_hi"), ("grade", "_grade")):
            row[f"{remedy['name']}{end}"] = remedy[key]
        for key in ("cost_per_device_month", "energy_j_per_request"):
            row[f"{remedy['name']}_{key}"] = remedy[key]
    return row


def summary(found: Mapping[str, Any], *, every: bool = False) -> Summary:
    """The remedies with their grades, and the findings against each, or `every` one."""
    rows = [
        (r["words"], _least(r), r["grade"] or "-", r["action"] or "-") for r in found["remedies"]
    ]
    sections = [_findings(remedy, every=every) for remedy in found["remedies"]]
    return Summary(
        title=headline(found),
        finding=(
            f"limit {found['goal']}; intervals at {100 * found['confidence']:g} % confidence;"
            f" {found['requests']:,} requests"
        ),
        columns=("resource", "least needed, by itself", "grade", "what to do with it"),
        rows=tuple(rows),
        sections=(
            *say_bills(found["remedies"]),
            *(section for section in sections if section.rows),
        ),
        origin=say_scheme(found["provenance"]).strip(),
    )


def headline(found: Mapping[str, Any]) -> str:
    """The question in one line."""
    return f"{found['n_devices']} devices need one of these ({found['words']}):"


def _least(remedy: Mapping[str, Any]) -> str:
    """The least of one resource in words."""
    least, spare = remedy["least"], remedy["spare"]
    if least is None:
        return "not enough by itself, even 64 times as much"
    if remedy["unit"] != "x":
        unsure = "" if remedy["sure"] else " (within the error of the runs)"
        return f"{least}{f', {spare} of them spare' if spare else ''}{unsure}"
    if remedy["lo"] is None:
        return f"less than {number(least)} times today's"
    return f"{interval(least, remedy['lo'], remedy['hi'], digits=4)} times today's"


def _findings(remedy: Mapping[str, Any], *, every: bool) -> Summary:
    """Its findings, the bad ones first; those that are not good, or `every` one."""
    chosen = [f for f in remedy["trust"] if every or f["verdict"] != GOOD]
    return Summary(
        title=f"{remedy['words']}: grade {remedy['grade']}",
        columns=("verdict", "what was checked", "figures"),
        rows=tuple(
            (each["verdict"], each["name"], each["words"])
            for each in sorted(chosen, key=lambda finding: finding["verdict"])
        ),
    )
