"""Find the cut, codec setting and sequence length that load the server least within the limits.

Searches the stored tables of a network (scenes, bytellama): every cut under a grid of theta =
(s, delta, M, lambda). Prints the decision with its predicted and simulated numbers, the
tightest limit and the runner-up; if no option keeps the limits, the smallest change of a limit that
would help. ship=true measures the tables again.
"""

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from profiles.tables.split import Split
from scenarios.present.summary import Summary, number
from scenarios.searching import thetas
from scenarios.searching.options import Tables
from scenarios.sweep import multirun
from scenarios.sweep.store import Store
from scenarios.systems.build import case
from scenarios.systems.plain import PLAIN, name_of
from scenarios.systems.scenario import recorded
from scenarios.systems.system import System
from sim.medium.channel import rate_bps
from sim.planning.limits.slo import Slo
from sim.search import SEARCHES, Decision, Group, Limits, Problem, refusal, runner_up
from sim.search.budget import longest
from sim.search.sizes import with_predicted_sizes
from sim.specs.check import at_least, one_of, option
from sim.validation.playback import Played, play

_LIMITS = {True: "tpot_mean_s", False: "mean_s"}
"""The limit on a latency that is searched for, by whether the network generates tokens."""


_PARTS = ("device_s", "uplink_s", "link_wait_s", "server_wait_s", "service_s", "down_s")
_LINES = (
    ("server ms/{unit}", "server_s", 1e3),
    ("latency ms", "latency_s", 1e3),
    *((f"  {part.removesuffix('_s').replace('_', ' ')} ms", part, 1e3) for part in _PARTS),
    ("link load", "link_load", 1.0),
    ("server load", "server_load", 1.0),
    ("loss pp, upper end", "drop_pp", 1.0),
    ("device memory MB", "memory_bytes", 1e-6),
)
_NOTHING = {
    "request": "a request by hand has neither cut nor codec",
    "members": "every group has its own cut and codec",
    "alternatives": "devices choose for themselves, per request",
    "trace": "settings are chosen from tables of many of them, which ship=true measures",
}


@dataclass(frozen=True, kw_only=True)
class Config(System):
    """One fleet, its limits, and which search decides; `cut` and `codec` are what it finds."""

    HIDDEN: ClassVar = (*_NOTHING, "policy", "session", "force")

    slo: Slo = field(default_factory=lambda: Slo(accuracy_drop_pp=3.0))
    search: str = option("fleet", "which search decides")
    compare: bool = option(False, "print what every search decides")
    tokens: list[int] = option([8, 16, 24, 32], "language: sequence lengths to choose from")
    answers: int = option(4000, "answers (tokens) simulated per replication; 0: none")
    sizes: str = option("measured", "payload sizes: measured, or predicted by the size model")
    allowance: float = option(0.1, "predicted latency is widened by this times the load")
    ship: bool = option(False, "measure the stored tables of the network anew")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, why in _NOTHING.items():
            if getattr(self, name):
                raise ValueError(f"there is nothing to search with {name}: {why}")
        if name_of(self) != PLAIN:
            raise ValueError(
                f"a search reads stored tables of a network, got scheme={name_of(self)}; splitfleet"
                " plan plan.over=[cut,codec] chooses the cut and the codec of a scheme"
            )
        one_of("search", self.search, SEARCHES)
        one_of("workload.kind", self.workload.kind, ("closed", "poisson"))
        one_of("server.discipline", self.server.discipline, ("fifo", "edf"))
        one_of("sizes", self.sizes, ("measured", "predicted"))
        at_least("answers", self.answers, 0)
        if not self.tokens or min(self.tokens) < 2:
            raise ValueError(f"tokens must hold lengths >= 2, got {self.tokens}")
        if self.answers and self.fleet.n_devices > self.max_events:
            raise ValueError(
                f"fleet.n_devices must be <= max_events={self.max_events} where the decision is"
                f" simulated (answers=0: it is not), got {self.fleet.n_devices}"
            )
        if self.fleet.groups:
            raise ValueError(f"fleet.groups must be empty for a search, got {self.fleet.groups}")


def run(config: Config) -> int:
    """Decide, simulate the decision and the runner-up, print and store."""
    if config.ship:
        print(f"written: {thetas.make(config.model)}")
        return 0
    store = Store(Path("outputs") / config.name)
    known = thetas.find_tables(config.model)
    problem = _problem(config, known)
    start = time.perf_counter()
    chosen = SEARCHES[config.search](problem)
    spent_s = time.perf_counter() - start
    others = [name for name in SEARCHES if config.compare and name != config.search]
    decisions = {config.search: chosen, **{name: SEARCHES[name](problem) for name in others}}
    several = multirun.is_multirun()
    own = Store(store.folder / "searches" / multirun.job()) if several else store
    with multirun.lock(store):
        if not chosen.feasible:
            _write(own, config, known, {"refusal": refusal(chosen)})
            raise ValueError(_spoken(refusal(chosen), known))
        second = runner_up(problem, chosen, SEARCHES[config.search])
        rows = {"decision": chosen, "runner-up": second}
        shown = {
            key: (decision, _play_decision(config, known, problem, decision))
            for key, decision in rows.items()
            if decision.feasible
        }
        plain = {key: _plain(*pair) for key, pair in shown.items()}
        compared = {name: _plain(one, None) for name, one in decisions.items()}
        _write(own, config, known, {**plain, "search_s": spent_s, "searches": compared})
        if several:
            multirun.keep(store, {**_flat(chosen, known), "folder": str(own.folder)})
    looked = f"{chosen.evaluations} of {problem.n_choices} options evaluated in {spent_s:.2g} s"
    said = [f"binding: {_spoken(chosen.binding, known)}; {looked}"]
    if known.speaks and chosen.options is not None:
        said.append(_longest(problem, known, chosen.options[0]))
    sections = (_compare(decisions),) if config.compare else ()
    Summary(**_side_by_side(shown), origin="\n".join(said), sections=sections).show()
    print(f"written: {own.folder}/search.json")
    return 0


def _flat(chosen: Decision, known: Tables) -> dict[str, Any]:
    """One row of a decision."""
    assert chosen.options is not None
    option, forecast = chosen.options[0], chosen.forecasts[0]
    return {"cut": option.cut, "codec": option.setting, "tokens": option.tokens or None,
            "server_s_per_request": chosen.server_s, "latency_mean_s": forecast.latency_s,
            "drop_pp": forecast.drop_pp, "memory_bytes": forecast.memory_bytes,
            "link_utilization": chosen.link_load, "server_utilization": chosen.server_load,
            "binding": _spoken(chosen.binding, known)}  # fmt: skip


def _problem(config: Config, known: Tables) -> Problem:
    slo, load, link = config.slo, config.workload, recorded(config.link)
    memory = slo.memory_bytes if slo.memory_bytes is not None else config.device.memory_bytes
    latency_s = _mean_limit(slo, config.model.name, known)
    limits = {"latency_s": latency_s, "drop_pp": slo.accuracy_drop_pp, "memory_bytes": memory}
    options = known.options(config.device, config.server, tuple(config.tokens))
    if config.sizes == "predicted":
        options = with_predicted_sizes(known.table, options)
    group = Group(
        options=options,
        n_devices=config.fleet.n_devices,
        rate_bps=rate_bps(link, link.snr_db),
        limits=Limits(**{key: value for key, value in limits.items() if value is not None}),
        think_s=load.think_s if load.kind == "closed" else None,
        rate_rps=load.rate_rps if load.kind == "poisson" else None,
    )
    return Problem(groups=(group,), link=link, server=config.server, allowance=config.allowance)


def _mean_limit(slo: Slo, model: str, known: Tables) -> float:
    """The limit on the mean latency of a request, or of a token after the first.

    Raises:
        ValueError: there is none, or a limit that no search predicts.
    """
    name = _LIMITS[known.speaks]
    slo.check_tokens(model, generates=known.speaks)
    others = set(slo.given) - {name, "accuracy_drop_pp", "memory_bytes"}
    slo.refuse(others, f"search predicts means; for {model} limit slo.{name} (plan takes the rest)")
    if getattr(slo, name) is None:
        raise ValueError(f"search of {model} needs slo.{name}, such as slo.{name}=0.025; got none")
    return float(getattr(slo, name))


def _spoken(words: str, known: Tables) -> str:
    """`words` with the limits as the command line calls them."""
    said = {"latency_s": _LIMITS[known.speaks], "drop_pp": "accuracy_drop_pp"}
    for name in ("latency_s", "drop_pp", "memory_bytes"):
        words = words.replace(name, f"slo.{said.get(name, name)}")
    return words


def _play_decision(
    config: Config, known: Tables, problem: Problem, decision: Decision
) -> Played | None:
    if not config.answers:
        return None
    assert decision.rows is not None
    assert decision.options is not None
    chosen = case(config, known, split=decision.options[0])
    return play(
        problem, decision.rows, list(chosen.sources.values()),
        answers=config.answers, replications=config.replications, seed=config.seed,
    )  # fmt: skip


def _longest(problem: Problem, known: Tables, option: Split) -> str:
    """How long a session could be before it ends early for want of memory, at this cut."""
    limit = float(problem.groups[0].limits.memory_bytes)
    start = known.memory_bytes(option._replace(tokens=1)) or 0.0
    token = known.profiles[-1].cut(option.cut).kv_head_bytes
    if limit == math.inf:
        return "memory: no limit; every token is kept"
    steps = longest(limit, start, 0.0, token)
    return f"memory: a session at this cut ends after {steps:,} tokens; those made are kept"


def _plain(decision: Decision, played: Played | None) -> dict[str, Any]:
    """A decision as JSON."""
    if not decision.feasible or decision.options is None:
        return {"search": decision.search, "refusal": refusal(decision),
                "evaluations": decision.evaluations}  # fmt: skip
    return {
        "search": decision.search,
        "option": decision.options[0]._asdict(),
        "predicted": _forecast(decision),
        "simulated": None if played is None else played._asdict(),
        "binding": decision.binding,
        "evaluations": decision.evaluations,
    }


def _forecast(decision: Decision) -> dict[str, float]:
    shared = ("server_s", "link_load", "server_load")
    return decision.forecasts[0]._asdict() | {name: getattr(decision, name) for name in shared}


def _write(store: Store, config: Config, known: Tables, content: dict[str, Any]) -> None:
    store.write_text("search.json", json.dumps(content, indent=1))
    made = {"provenance": dict(known.table.provenance), "digests": known.digests}
    store.write_run(command="search", config=asdict(config), **made)


def _side_by_side(shown: dict[str, tuple[Decision, Played | None]]) -> dict[str, Any]:
    """What was chosen, and predictions beside simulations."""
    chosen = {key: decision.options[0] for key, (decision, _) in shown.items() if decision.options}
    unit = "token" if any(option.tokens for option in chosen.values()) else "request"
    kinds = ("predicted", "simulated")
    lines = [[heading.format(unit=unit)] for heading, _, _ in _LINES]
    for decision, played in shown.values():
        before, after = _forecast(decision), {} if played is None else played._asdict()
        for line, (_, name, scale) in zip(lines, _LINES, strict=True):
            value = after.get(name)
            value = value[0] if isinstance(value, tuple) else value
            line += [number(scale * before[name], 4)]
            line += [number(None if value is None else scale * value, 4)]
    return {
        "title": "\n".join(f"{key}: {option}" for key, option in chosen.items()),
        "columns": ("", *(f"{key}, {kind}" for key in shown for kind in kinds)),
        "rows": tuple(map(tuple, lines)),
    }


def _compare(found: dict[str, Decision]) -> Summary:
    return Summary(
        title="What every search decides",
        columns=("search", "option", "server ms", "latency ms", "evaluations"),
        rows=tuple(
            (
                name,
                str(one.options[0]) if one.options else "none",
                number(1e3 * one.server_s if one.options else None, 4),
                number(1e3 * one.forecasts[0].latency_s if one.options else None, 4),
                str(one.evaluations),
            )
            for name, one in found.items()
        ),
    )
