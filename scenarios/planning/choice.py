"""Choice: the system that serves most devices, among cuts, codecs, batches and links.

Candidates are taken in the order of their bounds. One is set aside where a rival that was searched
serves as many devices as its bound allows (within a tenth, where it cannot become the winner), or
where a few runs show that it fails at the rival's N*; what is left gets a short search. Its rivals
are those of its own cut, and all that are no worse in accuracy, device energy and device seconds,
so that every cut keeps its best system in the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scenarios._sweep import axes_of, points
from scenarios.planning.bound import bound
from scenarios.planning.budget import Budget
from scenarios.planning.capacity import Capacity, capacity
from scenarios.planning.guess import demands
from scenarios.planning.pace import lasting
from scenarios.planning.probe import Player, Probe
from scenarios.planning.refusal import Refusal
from scenarios.planning.subject import Subject
from sim.places import groups_of

_SHORT = {"half_width": 0.03, "n_runs": 4, "requests_per_run": 2500.0, "pilot_requests": 1000.0}
_RACE = 2
_CLOSE = 1.1


@dataclass(kw_only=True)
class Candidate:
    """One system with its bound, its costs per request, and what became of it."""

    subject: Subject
    bound: float
    device_s: float
    energy_j: float
    fate: str = ""
    found: Capacity | None = None
    at_most: float = math.inf

    @property
    def costs(self) -> tuple[float, float, float]:
        """What else a fleet's owner pays: accuracy points (upper end), joules, seconds."""
        drop = self.subject.drop
        return (drop.hi if drop else 0.0, self.energy_j, self.device_s)

    @property
    def n_most(self) -> float:
        """N* where it was searched, else the least upper bound that is known."""
        return self.found.n_star if self.found else min(self.bound, self.at_most)

    def cheaper(self, other: Candidate) -> bool:
        """No worse in any cost."""
        return all(a <= b + 1e-12 for a, b in zip(self.costs, other.costs, strict=True))

    def row(self, front: bool) -> dict[str, Any]:
        """One line of the table."""
        drop = self.subject.drop
        return {
            **self.subject.names,
            "n_star": self.found.n_star if self.found else None,
            "n_star_lo": self.found.n_star_lo if self.found else None,
            "n_star_hi": self.found.n_star_hi if self.found else None,
            "n_at_most": None if math.isinf(self.n_most) else math.floor(self.n_most),
            "accuracy_drop_pp": drop.mean if drop else None,
            "accuracy_drop_pp_hi": drop.hi if drop else None,
            "device_energy_j": self.energy_j,
            "device_s": self.device_s,
            "pareto": front,
            "fate": self.fate,
        }


def configurations(config: Any) -> list[Any]:
    """The configurations that `plan.over` spans; a key without values takes all that are known.

    Raises:
        ValueError: an axis that no field or group has, or that the command line fixes.
    """
    texts = [text if "=" in text else f"{text}={','.join(_values(config, text))}"
             for text in config.plan.over]  # fmt: skip
    base = config
    if "server.max_batch" in config.plan.axes and config.server.discipline == "fifo":
        base = replace(config, server=replace(config.server, discipline="take_all"))
    axes = axes_of(texts)
    fixed = set(config.plan.axes) - {axis.key for axis in axes}
    if fixed:
        raise ValueError(
            f"plan.over chooses {', '.join(sorted(fixed))}, which the command line fixes; leave one"
        )
    found = list(points(base, axes))
    sound = [point.config for point in found if not point.error]
    if not sound:
        raise ValueError(found[0].error)
    return sound


def candidate(subject: Subject, goals: Sequence[Any]) -> Candidate:
    """A subject with its bound and its costs."""
    costs = demands(subject.spec, subject.sources)
    device_s = costs.device_s if costs else math.nan
    powers = [group.power for group in groups_of(subject.spec).values()]
    watts = powers[0].compute_w if powers[0] is not None else math.nan
    return Candidate(
        subject=subject,
        bound=bound(subject.spec, subject.sources, goals),
        device_s=device_s,
        energy_j=0.0 if math.isnan(watts) else watts * device_s,
    )


def choose(
    candidates: Sequence[Candidate],
    goals: Sequence[Any],
    check: Callable[[Subject], None],
    *,
    budget: Budget,
    play: Player,
) -> tuple[Candidate, list[dict[str, Any]]]:
    """The candidate with the largest N*, and the table of all with the Pareto front marked.

    Raises:
        Refusal: every candidate misses a constraint at N = 1; the first one's words.
    """
    short = replace(_budget(budget), **_SHORT)
    searched: list[Candidate] = []
    refusals: list[Refusal] = []
    for one in sorted(candidates, key=lambda each: -each.bound):
        try:
            check(one.subject)
            _judge(one, searched, goals, short, play)
        except Refusal as refusal:
            one.fate, one.at_most = str(refusal), 0.0
            refusals.append(refusal)
        if one.found is not None:
            searched.append(one)
    if not searched:
        raise refusals[0]
    best = max(searched, key=lambda each: each.found.root.root if each.found else 0.0)
    front = {id(each) for each in candidates if _on_front(each, candidates)}
    ranked = sorted(candidates, key=lambda each: -each.n_most)
    return best, [each.row(id(each) in front) for each in ranked]


def _judge(
    one: Candidate, searched: Sequence[Candidate], goals: Sequence[Any], short: Budget, play: Player
) -> None:
    if one.bound < 1.0:
        one.fate, one.at_most = "one request alone is too slow", 0.0
        return
    cut = one.subject.names["cut"]
    rivals = [o for o in searched if o.cheaper(one) or o.subject.names["cut"] == cut]
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
    one.found = capacity(one.subject.spec, one.subject.sources, goals, budget=short, play=play)
    one.fate = "searched"


def _loses(one: Candidate, rival: Capacity, goals: Sequence[Any], play: Player) -> bool:
    """Whether every one of a few runs misses a goal where the rival meets them all."""
    if rival.n_star < 1:
        return False
    n, requests = rival.n_star, _SHORT["pilot_requests"]
    spec = lasting(one.subject.spec, requests, rival.throughput_rps, n, goals)
    probe = Probe(spec, one.subject.sources, goals, play=play)
    _, goal = probe.worst(rival.n_star, _RACE)
    return bool((probe.excess((rival.n_star,), _RACE, goal) > 0.0).all())


def _on_front(one: Candidate, others: Sequence[Candidate]) -> bool:
    """Searched, and no other searched one is at least as good in all and better in something."""
    if one.found is None:
        return False
    mine = (-one.n_most, *one.costs)
    for other in others:
        theirs = (-other.n_most, *other.costs)
        if (
            other.found
            and theirs != mine
            and all(a <= b for a, b in zip(theirs, mine, strict=True))
        ):
            return False
    return True


def _values(config: Any, key: str) -> list[str]:
    """All that are known of an axis without values."""
    from scenarios._names import unknown

    known: dict[str, Callable[[], list[str]]] = {
        "cut": lambda: [*_cuts(config)],
        "codec": lambda: list(config.codecs),
        "server.max_batch": lambda: [str(size) for size in config.model.batches],
        "link": _links,
    }
    if key not in known:
        raise ValueError(f"{unknown('axis of plan.over', key, known)}; others need KEY=A,B")
    return known[key]()


def _cuts(config: Any) -> list[str]:
    """All but "output": with everything on the devices no number of them is too large."""
    from profiles import models

    return ["input", *models.create(config.model.name).stages]


def _links() -> list[str]:
    from importlib import resources

    folder = resources.files("conf.link")
    names = (path.name for path in folder.iterdir())
    return sorted(n[:-5] for n in names if n.endswith(".yaml") and n != "ideal.yaml")


def _budget(budget: Budget) -> Budget:
    """The plain budget below the command's own fields."""
    return Budget(max_devices=budget.max_devices, max_requests=budget.max_requests)
