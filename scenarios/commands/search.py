"""Find the cut, codec setting and sequence length that load the server least within the limits.

Searches the stored tables of a network (scenes, bytellama): every cut under a grid of theta =
(s, delta, M, lambda); with scheme=NAME the cuts, codecs and options of a scheme, measured here. The
decision stands beside its simulation, the tightest limit and the runner-up; if no option keeps the
limits, the smallest change of a limit that would help. ship=true measures the tables again.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from profiles.tables.split import Split
from scenarios.present.summary import Summary
from scenarios.searching import thetas
from scenarios.searching.finding import Found, find
from scenarios.searching.options import Tables
from scenarios.searching.screen import compare, flat, side_by_side
from scenarios.sweep import multirun
from scenarios.sweep.axes import typed_keys
from scenarios.sweep.store import Store
from scenarios.systems.answers import DEFAULT_CUT
from scenarios.systems.plain import PLAIN, is_plain, name_of
from scenarios.systems.system import System
from sim.planning.limits.slo import Slo
from sim.search import SEARCHES, Problem
from sim.search.budget import longest
from sim.specs.check import at_least, one_of, option

_NOTHING = {
    "request": "a request by hand has neither cut nor codec",
    "members": "every group has its own cut and codec",
    "alternatives": "devices choose for themselves, per request",
    "trace": "settings are chosen from tables of many of them, which ship=true measures",
}


@dataclass(frozen=True, kw_only=True)
class Config(System):
    """One fleet, its limits, and which search decides; `cut` and `codec` are what it finds, of a
    scheme as far as they are not given.
    """

    HIDDEN: ClassVar = (*_NOTHING, "policy", "session", "force")

    slo: Slo = field(default_factory=lambda: Slo(accuracy_drop_pp=3.0))
    search: str = option("fleet", "which search decides")
    compare: bool = option(False, "print what every search decides")
    tokens: list[int] = option([8, 16, 24, 32], "language: sequence lengths to choose from")
    answers: int = option(4000, "answers (tokens) simulated per replication; 0: none")
    sizes: str = option("measured", "payload sizes: measured, or predicted by the size model")
    allowance: float = option(0.1, "predicted latency is widened by this times the load")
    ship: bool = option(False, "measure the stored tables of the network anew")
    over: list[str] = option(
        [], "of a scheme, what to choose among: cut, codec, scheme.OPTION=A,B; empty: all there is"
    )
    codecs: dict[str, dict[str, Any]] = option({}, "what a scheme may send with; see group methods")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, why in _NOTHING.items():
            if getattr(self, name):
                raise ValueError(f"there is nothing to search with {name}: {why}")
        self._check_tables()
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
        if self.workload.adapt_rounds:
            raise ValueError(
                "a search predicts what a fleet does for good, so workload.adapt_rounds must be 0,"
                f" got {self.workload.adapt_rounds}; simulate plays training"
            )

    def _check_tables(self) -> None:
        """Refuse what the stored tables of a network do not hold, and of a scheme what they do."""
        if not is_plain(self):
            for name, given in (("sizes=predicted", self.sizes != "measured"), ("ship", self.ship)):
                if given:
                    raise ValueError(
                        f"{name} is about the stored tables of a network, got scheme="
                        f"{name_of(self)}, which is measured here"
                    )
            return
        if name_of(self) != PLAIN:
            raise ValueError(
                f"scheme={name_of(self)} is a network under its codec: without a scheme, search"
                " chooses among the settings of slicer; plan plan.over=[cut,codec] among codecs"
            )
        needless = {
            "over": (self.over, "every cut and setting of the stored tables is searched"),
            "cut": (self.cut != DEFAULT_CUT and self.cut, "that is what a search finds"),
            "codec": (
                "codec" in typed_keys() and self.codec["name"],
                "that is what a search finds, among settings of the slicer chain",
            ),
            "link.transport": (
                self.link.transport != "exact" and self.link.transport,
                "the stored tables hold answers to payloads that arrive whole",
            ),
        }
        for name, (got, why) in needless.items():
            if got:
                raise ValueError(f"without a scheme {name} is not asked, got {got}: {why}")


def run(config: Config) -> int:
    """Decide, simulate the decision and the runner-up, print and store."""
    if config.ship:
        print(f"written: {thetas.make(config.model)}")
        return 0
    store = Store(Path("outputs") / config.name)
    found = find(config)
    several = multirun.is_multirun()
    own = Store(store.folder / "searches" / multirun.job()) if several else store
    with multirun.lock(store):
        _write(own, config, found)
        if found.refusal:
            raise ValueError(found.refusal)
        if several:
            row = flat(found.chosen, found.known, found.binding)
            multirun.keep(store, {**row, "folder": str(own.folder)})
    _show(config, found)
    print(f"written: {own.folder}/search.json")
    return 0


def _show(config: Config, found: Found) -> None:
    """Print the decision beside its simulation."""
    chosen, known, problem = found.chosen, found.known, found.problem
    looked = f"{chosen.evaluations} of {problem.n_choices} options evaluated"
    lines = [f"binding: {found.binding}; {looked} in {found.spent_s:.2g} s"]
    if isinstance(known, Tables) and known.speaks and chosen.options is not None:
        lines.append(_longest(problem, known, chosen.options[0]))
    sections = (compare(found.decisions, known),) if config.compare else ()
    Summary(**side_by_side(found.shown, known), origin="\n".join(lines), sections=sections).show()


def _longest(problem: Problem, known: Tables, option: Split) -> str:
    """How long a session could be before it ends early for want of memory, at this cut."""
    limit = float(problem.groups[0].limits.memory_bytes)
    start = known.memory_bytes(option._replace(tokens=1)) or 0.0
    token = known.profiles[-1].cut(option.cut).kv_head_bytes
    if limit == math.inf:
        return "memory: no limit; every token is kept"
    steps = longest(limit, start, 0.0, token)
    return f"memory: a session at this cut ends after {steps:,} tokens; those made are kept"


def _write(store: Store, config: Config, found: Found) -> None:
    """What was found, with where its numbers come from, or those of the first option."""
    store.write_text("search.json", json.dumps(found.content, indent=1))
    label = (found.chosen.options or found.problem.groups[0].options.labels)[0]
    about = found.known.provenance(config.device, config.server, label)
    store.write_run(
        command="search", config=asdict(config), provenance=about, digests=found.known.digests
    )
