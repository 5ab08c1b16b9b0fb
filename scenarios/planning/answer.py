"""Answer: everything that a plan found, as JSON, as rows and in files."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from scenarios.planning.bill import bill
from scenarios.planning.candidate import Candidate, candidate, front, name_parts, unknown_row
from scenarios.planning.choice import choose
from scenarios.planning.options import options
from scenarios.planning.screen import summary
from scenarios.present.page import page
from scenarios.present.summary import Summary
from scenarios.present.table import STAGES
from scenarios.shell.forks import Ahead
from scenarios.sweep.store import Store, plain, write_table
from scenarios.systems.build import case
from scenarios.systems.case import Case
from scenarios.systems.library import Library
from sim import SystemSpec
from sim.planning.limits.budget import Refusal
from sim.planning.limits.slo import check_drop, check_memory
from sim.planning.runs.probe import Player, Tally
from sim.planning.search.answer import Capacity, Least
from sim.planning.search.capacity import capacity
from sim.planning.trust.choice import find_better_split
from sim.planning.trust.finding import Trust
from sim.planning.trust.judge import judge_capacity
from sim.planning.trust.why import Why, why

Found = dict[str, Any]


def single(config: Any, asked: Case, *, play: Player) -> Found:
    """N* of one system, `asked`, with all that explains it.

    Raises:
        Refusal: no number of devices can be named, with the constraint that failed at N = 1.
    """
    check_accuracy(config, asked)
    found = capacity(asked.spec, asked.sources, config.slo.goals, budget=config.plan, play=play)
    return explain(config, asked, found, play=play)


def choose_system(config: Any, *, play: Player) -> Found:
    """The best system that `plan.over` spans, with the table of all of them.

    Raises:
        Refusal: no candidate can serve even one device.
    """
    goals = config.slo.goals
    spanned = options(config)
    library = Library([option.config for option in spanned if not option.refusal])
    candidates, rows, refused = [], [], []
    for values, each, refusal in spanned:
        try:
            if refusal:
                raise ValueError(refusal)
            candidates.append(candidate(values, case(each, library.measured(each)), goals))
        except ValueError as error:  # a combination that was not traced
            rows.append(unknown_row(values, str(error)))
            refused.append(error)
    if not candidates:
        raise refused[0]
    best, spent = choose(
        candidates, goals, partial(check_accuracy, config), budget=config.plan, play=play
    )
    best.found = _surely(config, best, play=play)
    found = explain(config, best.case, best.found, play=play)
    on_front = front(candidates)
    ranked = sorted(candidates, key=lambda each: -each.n_most)
    table = [*(each.row(front=id(each) in on_front) for each in ranked), *rows]
    return {**found, "requests": found["requests"] + spent, "choice": table}


def _surely(config: Any, best: Candidate, *, play: Player) -> Capacity:
    """The winner's full search; where that has no answer, what the short one knew."""
    spec, sources, short = best.case.spec, best.case.sources, best.found
    try:
        return capacity(spec, sources, config.slo.goals, budget=config.plan, play=play)
    except Refusal as refusal:
        assert short is not None
        known = f"{short.n_star} [{short.n_star_lo}, {short.n_star_hi}]"
        raise Refusal(f"{refusal}; a short search found {known} for {best.case.words}") from None


def explain(config: Any, asked: Case, found: Capacity, *, play: Player) -> Found:
    """A capacity with why it is what it is, and how far to believe it."""
    reasons = why(asked.spec, asked.sources, found, play=play)
    tally = Tally(play)
    better = find_better_split(found, asked.sources, config.slo.goals, play=tally)
    trust = judge_capacity(
        found, reasons, asked.sources,
        target=config.plan.target(found.root.root), largest_batch=asked.largest_batch,
        kinds=asked.kinds, better=better,
    )  # fmt: skip
    described = describe_answer(asked, found, reasons, asked.weigh_memory(trust))
    return {**described, "requests": described["requests"] + tally.requests}


def alone(config: Any) -> Case:
    """The one system that a configuration describes."""
    return case(config, Library([config]).measured(config))


def check_accuracy(config: Any, asked: Case) -> None:
    """Refuse a codec that costs more answers than allowed, or a network that takes more memory."""
    config.slo.check_tokens(asked.words, generates=asked.generates)
    check_memory(config.slo, asked.memory_bytes, asked.words)
    check_drop(config.slo, asked.drop, asked.words)


def describe_answer(asked: Case, found: Capacity, reasons: Why, trust: Trust) -> Found:
    """JSON of an answer."""
    columns, spec, least = reasons.columns, found.spec, found.least
    places = ("device", "link", "server")
    return {
        **name_parts(asked),
        **{name: getattr(found, name) for name in ("n_star", "n_star_lo", "n_star_hi")},
        "n_star_lo_total": min(reasons.total_lo, found.n_star_lo),
        "n_star_hi_total": max(reasons.total_hi, found.n_star_hi),
        "half_width": found.root.half_width,
        "confidence": spec.confidence,
        "goal": str(found.goal),
        "column": found.goal.column,
        "limit": found.goal.limit,
        "curve": _curve(found),
        "n_least": least.n if least else 1,
        "n_least_lo": least.lo if least else 1,
        "n_least_hi": least.hi if least else 1,
        "least_curve": _curve(least) if least else [],
        "two_regimes": asdict(found.regimes) if found.regimes else None,
        "above": found.regimes.say_above() if found.regimes else None,
        "without_outages": found.calm,
        "binding": reasons.binding.name,
        "binds_surely": reasons.surely,
        "next_binding": reasons.next_binding.name if reasons.next_binding else None,
        "words": asked.words,
        "gains": [asdict(gain) for gain in reasons.gains],
        "utilization": {place: columns[f"{place}_utilization"] for place in places},
        "stages": [
            {"stage": name, "words": words, "mean_s": columns[name],
             "slowest_s": columns[f"{name}_slowest"]}
            for name, words in STAGES
        ],
        "at_n_star": dict(columns),
        **bill(asked, at_n_star(found), columns),
        "accuracy_drop_pp": asked.drop._asdict() if asked.drop is not None else None,
        "kinds": dict(asked.kinds),
        "grade": trust.grade,
        "action": trust.action,
        "trust": [asdict(finding) for finding in trust.findings],
        "n_runs": found.n_runs,
        "collapsed_runs": max(found.collapsed, reasons.collapsed),
        "points": list(found.points),
        **{name: getattr(spec, name) for name in ("warmup_s", "horizon_s", "seed")},
        "requests": found.requests + reasons.requests,
        "provenance": dict(asked.provenance),
        "engine": asked.engine,
    }  # fmt: skip


def at_n_star(found: Capacity) -> SystemSpec:
    """The system with the number of devices that was found; one where none is."""
    fleet = replace(found.spec.fleet, n_devices=max(1, found.n_star))
    return replace(found.spec, fleet=fleet)


def _curve(found: Capacity | Least) -> list[Found]:
    """The limited figure at every number of devices that was played."""
    return [
        {"n": n, "value": each.mean, "lo": each.lo, "hi": each.hi, "n_runs": n_runs}
        for n, each, n_runs in zip(found.points, found.curve, found.runs, strict=True)
    ]


def figures() -> Callable[[Any], Any]:
    """What draws an answer; matplotlib."""
    from plots.plan import draw

    return draw


def store(folder: Store, found: Found, drawing: Ahead) -> None:
    """plan.json, plan.csv, the figure and plan.html."""
    rows = [flat(found), *found.get("choice", [])]
    write_files(folder, found, rows, drawing, summary(found, every=True))


def write_files(
    folder: Store,
    found: Found,
    rows: Sequence[Mapping[str, Any]],
    drawing: Ahead,
    whole: Summary,
) -> None:
    """The answer as plan.json, plan.csv, a figure, and plan.html with the figure in it."""
    drawing.begin((found, folder.make()))
    folder.write_text("plan.json", json.dumps(plain(found), indent=2, default=str) + "\n")
    write_table(folder.folder / "plan.csv", [plain(row) for row in rows])
    drawing.result()
    picture = folder.folder / "figure.png"
    folder.write_text("plan.html", page("Capacity plan", whole, picture, found["provenance"]))


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
