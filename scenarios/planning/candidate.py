"""Candidate: one of several systems, with a bound on its N*, what it costs, and its row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scenarios.planning.bill import NO_COST, bill_of
from scenarios.sweep.mixed import MACHINES
from scenarios.systems.case import Case
from sim.planning.forecast.bounds import bound
from sim.planning.forecast.demands import parts
from sim.planning.limits.goal import Goal
from sim.planning.search.answer import Capacity
from sim.sources.source import rows_of

_SAME = 1e-12
_ENDS = ("", "_lo", "_hi")
_SIZES = tuple(f"payload_bytes{end}" for end in ("", "_std", "_q05", "_q50", "_q95"))
_GROUPS = ("scheme", "cut", "codec", "link", "device", "server", "model")


@dataclass(kw_only=True)
class Candidate:
    """One system, what became of it, and what its owner pays besides.

    `values`: what was chosen on every axis; `device_s`, `energy_j`: per request, NaN where a
    source or a power sheet is not known; `at_most`: the N below which it was seen to fail;
    `failed`: its search ended without an answer.
    """

    values: Mapping[str, Any]
    case: Case
    bound: float
    device_s: float
    energy_j: float
    fate: str = ""
    failed: bool = False
    found: Capacity | None = None
    at_most: float = math.inf

    @property
    def costs(self) -> tuple[float, float, float]:
        """Accuracy points (upper end), joules, seconds; NaN: not known.

        The points are those lost to the codec; between schemes, which answer unlike without one,
        those of wrong answers.
        """
        drop, right = self.case.drop, self.case.quality.get("table_accuracy_lo", math.nan)
        lost = drop.hi if drop else math.nan
        return (100.0 * (1.0 - right) if "scheme" in self.values else lost, self.energy_j,
                self.device_s)  # fmt: skip

    @property
    def n_most(self) -> float:
        """N* where it was searched, else the least upper bound that is known."""
        return self.found.n_star if self.found else min(self.bound, self.at_most)

    def cheaper(self, other: "Candidate") -> bool:
        """No worse in any cost; what is known of one only cannot be compared."""
        return all(_no_worse(a, b) for a, b in zip(self.costs, other.costs, strict=True))

    def beats(self, other: "Candidate") -> bool:
        """At least as good in N* and all costs, and better in something."""
        if not self.cheaper(other) or self.n_most < other.n_most:
            return False
        return self.n_most > other.n_most or not other.cheaper(self)

    def row(self, *, front: bool) -> dict[str, Any]:
        """One line of the table."""
        drop, found = self.case.drop, self.found
        energy_j, device_s = (None if math.isnan(x) else x for x in (self.energy_j, self.device_s))
        return {
            **name_parts(self.case),
            **_others(self.values),
            "label": label(self.values),
            **{name: getattr(found, name, None) for name in ("n_star", "n_star_lo", "n_star_hi")},
            "n_at_most": None if math.isinf(self.n_most) else math.floor(self.n_most),
            **{f"accuracy{end}": self.case.quality.get(f"table_accuracy{end}") for end in _ENDS},
            "accuracy_drop_pp": drop.mean if drop else None,
            "accuracy_drop_pp_hi": drop.hi if drop else None,
            "device_energy_j": energy_j,
            "device_s": device_s,
            "encoder_bits": self.case.encoder_bits,
            **data_sizes(self.case),
            **bill_of(self.case, found.n_star if found else None),
            "requests": found.requests if found else None,
            "pareto": front,
            "failed": self.failed,
            "fate": self.fate,
        }


def name_parts(asked: Case) -> dict[str, str]:
    """What the system consists of, as the columns of its answer, and whose seconds these are."""
    names = ("model", "cut", "codec", "device", "link", "server")
    parts = {name: str(asked.labels[name]) for name in names}
    parts["scheme"] = str(asked.labels.get("scheme", "split"))
    whose = {name: str(asked.labels[name]) for name in MACHINES if name in asked.labels}
    return {**parts, "max_batch": str(asked.spec.server.max_batch), **whose}


def data_sizes(asked: Case) -> dict[str, float | None]:
    """Bytes of a payload as the link carries it, at batch 1 (SC2's data size): mean, spread and
    quantiles over the samples of the first group; None where they are drawn from a law.
    """
    rows = rows_of(next(iter(asked.sources.values())))
    if not rows:
        return dict.fromkeys(_SIZES)
    sizes = np.array([row.payload_bytes for row in rows])
    levels = np.quantile(sizes, (0.05, 0.5, 0.95))
    return dict(zip(_SIZES, map(float, (sizes.mean(), sizes.std(), *levels)), strict=True))


def candidate(values: Mapping[str, Any], case: Case, goals: Sequence[Goal]) -> Candidate:
    """A case with its bound and its costs: means over groups, weighted by their requests."""
    each = parts(case.spec, case.sources)
    device_s = energy_j = math.nan
    if each is not None:
        worked_s = [part.weight * part.demands.device_s for part in each]
        watts = [part.group.power.compute_w if part.group.power else math.nan for part in each]
        device_s = math.fsum(worked_s)
        energy_j = sum(w * s for w, s in zip(watts, worked_s, strict=True))
    most = bound(case.spec, case.sources, goals)
    return Candidate(values=values, case=case, bound=most, device_s=device_s, energy_j=energy_j)


def unknown_row(values: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The line of a combination that the tables do not hold."""
    unknown = ("n_star", "n_star_lo", "n_star_hi", "n_at_most",
               *(f"accuracy{end}" for end in _ENDS), "accuracy_drop_pp", "accuracy_drop_pp_hi",
               "device_energy_j", "device_s", "encoder_bits", *_SIZES, *NO_COST,
               "requests")  # fmt: skip
    said = {name: str(values.get(name, "-")) for name in ("scheme", "cut", "codec", "link")}
    said |= {"max_batch": str(values.get("server.max_batch", "-")), **_others(values)}
    fate = {"pareto": False, "failed": None, "fate": reason}
    return {**said, "label": label(values), **dict.fromkeys(unknown), **fate}


def label(values: Mapping[str, Any]) -> str:
    """What was chosen, as a person says it: stage3 slicer batch 8."""
    return " ".join(_said(key, value) for key, value in values.items())


def front(candidates: Sequence[Candidate]) -> set[int]:
    """Ids of the searched ones that no other searched one beats."""
    searched = [each for each in candidates if each.found is not None]
    return {id(one) for one in searched if not any(other.beats(one) for other in searched)}


def _others(values: Mapping[str, Any]) -> dict[str, Any]:
    """The axes that no column names already."""
    return {k: v for k, v in values.items() if k not in (*_GROUPS, "server.max_batch")}


def _said(key: str, value: Any) -> str:
    if key in _GROUPS:
        return str(value)
    if key == "server.max_batch":
        return f"batch {value}"
    return f"{key.rsplit('.', 1)[-1]} {value}"


def _no_worse(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one <= other + _SAME
