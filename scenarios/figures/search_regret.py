"""Compare every search with the exhaustive optimum on random problems, and with simulation.

Problems on the stored tables of scenes and the byte Llama: one to three groups of devices, single
answers and generations, closed and open loops, tight limits. Reports per search the regret in
server seconds, the share of feasible problems found feasible, and the evaluations; whether what
ours calls feasible is feasible when simulated; and predicted against simulated latency by load.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from plots import search_regret as drawing
from scenarios.present.summary import Summary, number
from scenarios.searching.options import Tables, tables
from scenarios.searching.problems import Drawn, draw
from scenarios.study.figure import produce
from scenarios.sweep.play import Job
from scenarios.sweep.rows import Rows
from scenarios.sweep.store import Row
from sim.engine.choice import AUTO, ENGINES
from sim.search import SEARCHES, Decision, Predictor
from sim.search.drawing import draw_loaded
from sim.search.sizes import loss_proxies, size_models
from sim.specs.check import at_least, one_of, option
from sim.validation.playback import play

MODELS = ("scenes", "bytellama")
OURS, BEST = "fleet", "exhaustive"
BANDS = ((0.0, 0.7), (0.7, 0.9))

_LEGEND = (
    "Found and within: share of the feasible problems; regret in server seconds, where found;"
    " evaluated: joint choices predicted, median share of all, and how often at most 5 %."
)


@dataclass(frozen=True, kw_only=True)
class Config(Rows):
    """How many problems, and how long their decisions are simulated."""

    problems: int = option(240, "random problems, half of each network")
    answers: int = option(8000, "answers simulated per decision")
    allowance: float = option(0.1, "predicted latency is widened by this times the load")
    seed: int = option(0, "seed of problems and simulations")
    engine: str = option(AUTO, "what plays: auto (compiled), simpy, compiled")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("problems", 1), ("answers", 100), ("allowance", 0.0)):
            at_least(name, getattr(self, name), least)
        one_of("engine", self.engine, ENGINES)


def run(config: Config) -> int:
    """Search every problem with every search, simulate, compare, draw."""
    known = {model: tables(model) for model in MODELS}
    draw = partial(drawing.draw, title="Searches against the exhaustive optimum")
    summarise = partial(_summary, known)
    provenance = {name: dict(one.table.provenance) for name, one in known.items()}
    jobs = _jobs(config, known)
    return produce(config, "search_regret", jobs, draw, summarise, provenance, finish=_tidy)


def _jobs(config: Config, known: Mapping[str, Tables]) -> Iterator[Job]:
    for at in range(config.problems):
        model = MODELS[at % len(MODELS)]
        where = {"problem": at, "model": model}
        how = (config.seed, config.answers, config.allowance)
        yield Job(
            spec={"seed": how[0], "answers": how[1], "allowance": how[2]},
            digests=dict(known[model].digests),
            labels=where,
            evaluate=partial(_evaluate, model, at, *how, config.engine),
        )


def _evaluate(model: str, at: int, seed: int, answers: int, allowance: float, engine: str) -> Row:
    """All searches on one problem; ours simulated, and a random choice at some load."""
    known, rng = tables(model), np.random.default_rng([seed, at])
    drawn = draw(known, rng, allowance)
    problem = drawn.problem
    decisions = {name: search(problem) for name, search in SEARCHES.items()}
    row: Row = {
        "n_groups": len(problem.groups),
        "n_devices": sum(group.n_devices for group in problem.groups),
        "closed": problem.closed,
        "n_choices": problem.n_choices,
        "searches": {name: _outcome(one, decisions[BEST]) for name, one in decisions.items()},
    }
    ours = decisions[OURS]
    if ours.rows is not None:
        row["ours"] = _simulate(known, drawn, ours.rows, answers, at, engine)
    low, high = BANDS[at // len(MODELS) % len(BANDS)]
    choice = draw_loaded(problem, rng, low, high)
    if choice is not None:
        row["random"] = _simulate(known, drawn, choice.tolist(), 2 * answers, at, engine)
    return row


def _outcome(decision: Decision, best: Decision) -> dict[str, Any]:
    """What one search came to; its regret is infinite where it found nothing though there is."""
    regret = math.nan
    if best.feasible:
        excess = decision.server_s - best.server_s
        small = 1e-9 * best.server_s
        regret = math.inf if not decision.feasible or (best.server_s == 0.0 and excess > 0.0) \
            else 0.0 if excess <= small else excess / best.server_s  # fmt: skip
    return {
        "feasible": decision.feasible,
        "regret": regret,
        "evaluations": decision.evaluations,
        "options": None if decision.options is None else list(map(str, decision.options)),
    }


def _simulate(
    known: Tables, drawn: Drawn, rows: Sequence[int], answers: int, seed: int, engine: str
) -> dict[str, Any]:
    """Latencies per group by prediction and by simulation, and the limits."""
    problem = drawn.problem
    forecast = Predictor(problem).predict(np.array([rows]))
    sources = [
        drawn.source(known, g, group.options.labels[row])
        for g, (group, row) in enumerate(zip(problem.groups, rows, strict=True))
    ]
    played = play(
        problem, rows, sources, answers=answers, seed=seed, shares=drawn.shares, engine=engine
    )
    load = max(forecast.link_load[0], forecast.server_load[0])
    return {
        "load": float(load),
        "predicted_s": forecast.latency_s[0].tolist(),
        "simulated_s": list(played.latency_s),
        "limit_s": [group.limits.latency_s for group in problem.groups],
        "predicted_server_s": float(forecast.server_s[0]),
        "simulated_server_s": played.server_s,
    }


def _tidy(rows: Sequence[Row]) -> list[Row]:
    """A row per problem and search, and a row per simulated group."""
    tidy: list[Row] = []
    for row in rows:
        if row.get("error"):
            tidy.append(row)
            continue
        nested = ("searches", "ours", "random")
        same = {key: value for key, value in row.items() if key not in nested}
        for name, one in row["searches"].items():
            words = " | ".join(one["options"] or ["none"])
            share = one["evaluations"] / row["n_choices"]
            outcome = {**one, "options": words, "evaluation_share": share}
            tidy.append({**same, "kind": "search", "search": name, **outcome})
        for kind in ("ours", "random"):
            for group in range(row["n_groups"]) if kind in row else ():
                played = row[kind]
                seconds = {
                    key: played[key][group] for key in ("predicted_s", "simulated_s", "limit_s")
                }
                seconds["error"] = ""
                gap = seconds["predicted_s"] / seconds["simulated_s"] - 1.0
                tidy.append({**same, "kind": kind, "group": group, "load": played["load"],
                             **seconds, "latency_error": gap})  # fmt: skip
    return tidy


def _summary(known: Mapping[str, Tables], rows: Sequence[Row]) -> Summary:
    searched = [row for row in rows if row["kind"] == "search"]
    total = len({row["problem"] for row in searched})
    solvable = {r["problem"] for r in searched if r["search"] == BEST and r["feasible"]}
    lines = tuple(
        _line([r for r in searched if r["search"] == name], solvable) for name in SEARCHES
    )
    return Summary(
        title=f"Searches over {total} random problems, {len(solvable)} of them feasible",
        finding=" ".join((_LEGEND, _kept(rows), _trust(rows), _predictors(known))),
        columns=("search", "found %", "within 2 % of best, %", "median regret %", "p95 regret %",
                 "evaluated %", "<= 5 % evaluated, %"),
        rows=lines,
        origin="Payloads and answers: measured. Heads, tails: measured, devices scaled by a drawn "
        "factor; links, queues: modelled. Problems: drawn at random, their seeds in results.csv.",
    )  # fmt: skip


def _line(rows: Sequence[Row], solvable: set[int]) -> tuple[str, ...]:
    mine = [row for row in rows if row["problem"] in solvable]
    regret = np.array([row["regret"] for row in mine])
    finite = regret[np.isfinite(regret)]
    share = np.array([row["evaluation_share"] for row in rows])
    return (
        rows[0]["search"],
        _percent(np.array([row["feasible"] for row in mine]), np.mean),
        _percent(regret <= 0.02, np.mean),
        _percent(finite, np.median),
        _percent(finite, partial(np.quantile, q=0.95)),
        _percent(share, np.median),
        _percent(share <= 0.05, np.mean),
    )


def _percent(values: np.ndarray, statistic: Callable[[np.ndarray], Any]) -> str:
    """A statistic in percent; a dash of nothing."""
    return number(100.0 * float(statistic(values))) if len(values) else "-"


def _kept(rows: Sequence[Row]) -> str:
    """How often ours keeps its limit when simulated."""
    kept: dict[int, bool] = {}
    for row in rows:
        if row["kind"] == "ours":
            fits = row["simulated_s"] <= row["limit_s"]
            kept[row["problem"]] = kept.get(row["problem"], True) and fits
    share = 100 * float(np.mean(list(kept.values())))
    return (
        f"What {OURS} calls feasible keeps its limit in {share:.1f} % of {len(kept)} simulations."
    )


def _trust(rows: Sequence[Row]) -> str:
    """Median and 95th percentile of the latency error in both bands of load."""
    words = []
    for low, high in BANDS:
        gaps = np.abs([row["latency_error"] for row in rows
                       if row["kind"] in ("ours", "random") and low <= row["load"] < high
                       and math.isfinite(row["latency_error"])])  # fmt: skip
        if len(gaps):
            middle, far = 100 * np.quantile(gaps, (0.5, 0.95))
            words.append(f"{middle:.2f} % (p95 {far:.1f} %, n = {len(gaps)}) at {low:g}-{high:g}")
    return f"Predicted against simulated latency, median error by load: {'; '.join(words)}."


def _predictors(known: Mapping[str, Tables]) -> str:
    """Leave-one-out errors of size model and loss proxy over every cut."""
    sizes: list[np.ndarray] = []
    losses: list[np.ndarray] = []
    for one in known.values():
        sizes += [np.abs(model.errors) for model in size_models(one.table).values()]
        losses += [np.abs(proxy.errors) for proxy in loss_proxies(one.table).values()]
    size, loss = np.concatenate(sizes), np.concatenate(losses)
    return (
        f"Left out one by one, sizes are predicted to {100 * np.median(size):.1f} % (median, p95"
        f" {100 * np.quantile(size, 0.95):.1f} %), losses to {np.median(loss):.2f} pp (p95"
        f" {np.quantile(loss, 0.95):.2f} pp)."
    )
