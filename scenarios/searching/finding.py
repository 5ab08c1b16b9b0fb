"""Finding: what a configured search decides, with the simulation of its decision."""

import time
from typing import Any, NamedTuple

from scenarios.searching import thetas
from scenarios.searching.options import Tables
from scenarios.searching.screen import Known, plain
from scenarios.systems.plain import is_plain
from scenarios.systems.scenario import recorded
from sim.medium.channel import rate_bps
from sim.planning.limits.slo import Slo
from sim.search import SEARCHES, Decision, Group, Limits, Problem, refusal, runner_up
from sim.search.sizes import with_predicted_sizes
from sim.validation.playback import Played, play

_LIMITS = {True: "tpot_mean_s", False: "mean_s"}
"""The limit on a latency that is searched for, by whether the network generates tokens."""


class Found(NamedTuple):
    """What a search found: its decision and the next best one, each with its simulation (None
    where none was asked), and what the other searches decide.
    """

    known: Known
    problem: Problem
    chosen: Decision
    shown: dict[str, tuple[Decision, Played | None]]
    decisions: dict[str, Decision]
    spent_s: float

    @property
    def refusal(self) -> str:
        """Why there is none, with the least relaxation; nothing where there is one."""
        return "" if self.chosen.feasible else _speak(refusal(self.chosen), self.known)

    @property
    def binding(self) -> str:
        """The limit that is used up most."""
        return _speak(self.chosen.binding, self.known)

    @property
    def said(self) -> str:
        """The option in words; nothing where there is none."""
        options = self.chosen.options
        return "" if options is None else self.known.say(options[0])

    @property
    def content(self) -> dict[str, Any]:
        """All of it as JSON."""
        if not self.chosen.feasible:
            return {"refusal": refusal(self.chosen)}
        each = {key: plain(*pair, self.known) for key, pair in self.shown.items()}
        compared = {name: plain(one, None, self.known) for name, one in self.decisions.items()}
        return {**each, "search_s": self.spent_s, "searches": compared}


def find(config: Any) -> Found:
    """Decide, and simulate the decision and the runner-up.

    Raises:
        ValueError: no limit on the mean, no tables, or a scheme without anything to choose.
    """
    if not is_plain(config):  # before anything is measured
        _limit_mean(config.slo, config.model.name, speaks=False)
    known = _find_tables(config)
    problem = _problem(config, known)
    start = time.perf_counter()
    chosen = SEARCHES[config.search](problem)
    spent_s = time.perf_counter() - start
    others = [name for name in SEARCHES if config.compare and name != config.search]
    decisions = {config.search: chosen, **{name: SEARCHES[name](problem) for name in others}}
    rows = {"decision": chosen}
    if chosen.feasible:
        rows["runner-up"] = runner_up(problem, chosen, SEARCHES[config.search])
    shown = {
        key: (decision, _play_decision(config, known, problem, decision))
        for key, decision in rows.items()
        if decision.feasible
    }
    return Found(known, problem, chosen, shown, decisions, spent_s)


def _find_tables(config: Any) -> Known:
    """What is known of every option.

    Raises:
        ValueError: no tables are stored, or a scheme without anything to choose.
    """
    if is_plain(config):
        return thetas.find_tables(config.model)
    from scenarios.searching.spanning import find_scheme_tables

    return find_scheme_tables(config)


def _problem(config: Any, known: Known) -> Problem:
    slo, load, link = config.slo, config.workload, recorded(config.link)
    memory = slo.memory_bytes if slo.memory_bytes is not None else config.device.memory_bytes
    latency_s = _limit_mean(slo, config.model.name, speaks=known.speaks)
    limits = {"latency_s": latency_s, "drop_pp": slo.accuracy_drop_pp, "memory_bytes": memory}
    options = known.options(config.device, config.server, tuple(config.tokens))
    if config.sizes == "predicted":
        assert isinstance(known, Tables)
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


def _limit_mean(slo: Slo, model: str, *, speaks: bool) -> float:
    """The limit on the mean latency of a request, or of a token after the first.

    Raises:
        ValueError: there is none, or a limit that no search predicts.
    """
    name = _LIMITS[speaks]
    slo.check_tokens(model, generates=speaks)
    others = set(slo.given) - {name, "accuracy_drop_pp", "memory_bytes"}
    slo.refuse(others, f"search predicts means; for {model} limit slo.{name} (plan takes the rest)")
    if getattr(slo, name) is None:
        raise ValueError(f"search of {model} needs slo.{name}, such as slo.{name}=0.025; got none")
    return float(getattr(slo, name))


def _speak(words: str, known: Known) -> str:
    """`words` with the limits as the command line calls them."""
    said = {"latency_s": _LIMITS[known.speaks], "drop_pp": "accuracy_drop_pp"}
    for name in ("latency_s", "drop_pp", "memory_bytes"):
        words = words.replace(name, f"slo.{said.get(name, name)}")
    return words


def _play_decision(
    config: Any, known: Known, problem: Problem, decision: Decision
) -> Played | None:
    if not config.answers:
        return None
    assert decision.rows is not None
    assert decision.options is not None
    source = known.source(decision.options[0], config.device, config.server)
    return play(
        problem, decision.rows, [source],
        answers=config.answers, replications=config.replications, seed=config.seed,
        engine=config.engine,
    )  # fmt: skip
