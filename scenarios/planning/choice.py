"""Choice: the system that serves most devices, among cuts, codecs, batches and links.

Candidates are taken in the order of their bounds. One is set aside where a rival that was searched
serves as many devices as its bound allows (within a tenth, where it cannot become the winner), or
where a few runs show that it fails at the rival's N*; what is left gets a short search. Its rivals
are those that are no worse in accuracy, device energy and device seconds, so that none is set aside
that might stand on the Pareto front.
"""

import math
from collections.abc import Callable, Sequence

from scenarios.planning.candidate import Candidate
from scenarios.systems.case import Case
from sim.planning.forecast.demands import sent_share
from sim.planning.limits.budget import Budget, Missed, Refusal, Spent
from sim.planning.limits.goal import Goal
from sim.planning.runs.pace import set_length
from sim.planning.runs.probe import Player, Probe, Tally
from sim.planning.search.answer import Capacity
from sim.planning.search.capacity import capacity

_PILOT_REQUESTS = 700.0
_SHORT_REQUESTS = 5e5  # where two regimes alternate, a short search would be longer than the rest
_RACE = 2
_CLOSE = 1.1


def choose(
    candidates: Sequence[Candidate],
    goals: Sequence[Goal],
    check: Callable[[Case], None],
    *,
    budget: Budget,
    play: Player,
) -> tuple[Candidate, int]:
    """The candidate with the largest N*, and the requests that were simulated; of all of them
    their fate and what was found.

    Raises:
        Refusal: every candidate misses a constraint at N = 1; the first one's words.
    """
    tally = Tally(play)
    todo = sorted(candidates, key=lambda each: -each.bound)
    searched, refused = _search_all(todo, goals, check, budget, _SHORT_REQUESTS, tally)
    spent = [one for one, refusal in refused if isinstance(refusal, Spent)]
    if spent and not searched:  # each needs more than a short search: what may be spent
        searched, refused = _search_all(spent, goals, check, budget, math.inf, tally)
    if not searched:
        raise refused[0][1]
    best = max(searched, key=lambda each: each.found.root.root if each.found else 0.0)
    return best, tally.requests


def _search_all(
    candidates: Sequence[Candidate], goals: Sequence[Goal], check: Callable[[Case], None],
    budget: Budget, most: float, play: Player,
) -> tuple[list[Candidate], list[tuple[Candidate, Refusal]]]:  # fmt: skip
    """Those that were searched, each by `most` requests that are sent, and those that refused."""
    searched: list[Candidate] = []
    refused: list[tuple[Candidate, Refusal]] = []
    for one in candidates:
        one.failed, one.at_most = False, math.inf  # whatever a shorter search said
        try:
            check(one.case)
            _judge(one, searched, goals, _short(one, budget, most), play)
        except Refusal as refusal:
            one.fate, one.failed = str(refusal), not isinstance(refusal, Missed)
            one.at_most = one.bound if one.failed else 0.0
            refused.append((one, refusal))
        if one.found is not None:
            searched.append(one)
    return searched, refused


def _judge(
    one: Candidate, searched: Sequence[Candidate], goals: Sequence[Goal], budget: Budget,
    play: Player,
) -> None:  # fmt: skip
    """Search it, or say why not."""
    if one.bound < 1.0:
        raise Missed(
            f"even one device misses {' and '.join(map(str, goals))}: one request alone is too slow"
        )
    rivals = [other for other in searched if other.cheaper(one)]
    if any(other.n_most >= one.bound for other in rivals):
        one.fate = "its bound lies below another's N*"
        return
    leader = max((other.n_most for other in searched), default=0.0)
    if any(_CLOSE * other.n_most >= one.bound for other in rivals) and one.bound < leader:
        one.fate = "its bound lies hardly above another's N*, and below the largest"
        return
    rival = max((o for o in rivals if o.found), key=lambda o: o.n_most, default=None)
    if rival is not None and rival.found is not None and _loses(one, rival.found, goals, play):
        one.fate, one.at_most = f"fails at N = {rival.found.n_star}", rival.found.n_star - 1
        return
    one.found = capacity(one.case.spec, one.case.sources, goals, budget=budget, play=play)
    one.fate = "searched"


def _loses(one: Candidate, rival: Capacity, goals: Sequence[Goal], play: Player) -> bool:
    """Whether every one of a few runs misses a goal where the rival meets them all."""
    if rival.n_star < 1:
        return False
    n = rival.n_star
    sent, rate_rps = sent_share(one.case.sources), rival.throughput_rps
    spec = set_length(one.case.spec, _PILOT_REQUESTS, rate_rps, n, goals, sent=sent)
    probe = Probe(spec, one.case.sources, goals, play=play)
    _, goal = probe.worst(n, _RACE)
    return bool((probe.excess((n,), _RACE, goal) > 0.0).all())


def _short(one: Candidate, budget: Budget, most: float) -> Budget:
    """That of a search by `most` requests that reach the server, within the command's own: of all
    requests it may play more where few are sent.
    """
    return Budget(
        half_width=0.05, n_runs=3, requests_per_run=1500.0, pilot_requests=_PILOT_REQUESTS,
        max_devices=budget.max_devices,
        max_requests=min(budget.max_requests, most / sent_share(one.case.sources)),
    )  # fmt: skip
