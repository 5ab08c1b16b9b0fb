"""What a run or a set of replications came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

from sim.measures.laws import Check
from sim.measures.meters import Book, Records
from sim.measures.quantiles import Observed
from sim.measures.saturation import Load
from sim.specs import SystemSpec


class Estimate(NamedTuple):
    """A mean with two intervals, NaN where none exists.

    `lo`, `hi`: conditional on the trace table (the simulation's own error).
    `lo_total`, `hi_total`: with the table's sampling error as well.
    """

    mean: float
    lo: float = nan
    hi: float = nan
    lo_total: float = nan
    hi_total: float = nan


@dataclass(frozen=True, kw_only=True)
class Result:
    """Estimates by column name, the laws checked, and the book of the (last) run.

    Of `saturated` replications, columns that depend on the length of the run are NaN. `seen`: what
    stands behind the quantiles of a single run.
    """

    spec: SystemSpec
    estimates: dict[str, Estimate]
    checks: tuple[Check, ...]
    book: Book = field(repr=False)
    n_runs: int = 1
    warnings: tuple[str, ...] = ()
    saturated: bool = False
    load: Load | None = field(default=None, repr=False)
    seen: Mapping[str, Observed] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        runs = "1 run" if self.n_runs == 1 else f"{self.n_runs} runs"
        columns = {"requests/s": "throughput_rps", "s mean latency": "latency_mean_s"}
        known = {unit: name for unit, name in columns.items() if name in self.estimates}
        said = [f"{self.value(name):.4g} {unit}" for unit, name in known.items()]
        return (
            f"Result({self.spec.fleet.n_devices} devices, {runs}: {', '.join(said)},"
            f" {len(self.estimates)} columns{', saturated' if self.saturated else ''})"
        )

    @property
    def records(self) -> Records:
        """Every request that left, by column."""
        return self.book.records

    @property
    def steps(self) -> Records:
        """Every step of a session that left, by column."""
        return self.book.steps

    def __getitem__(self, name: str) -> Estimate:
        """The estimate of one column."""
        return self.estimates[name]

    def value(self, name: str) -> float:
        """The mean of one column."""
        return self.estimates[name].mean

    def row(self) -> dict[str, float]:
        """Flat: name, and with intervals name_lo, name_hi, name_lo_total, name_hi_total."""
        flat: dict[str, float] = {}
        for name, estimate in self.estimates.items():
            flat[name] = estimate.mean
            if self.n_runs > 1:
                flat[f"{name}_lo"], flat[f"{name}_hi"] = estimate.lo, estimate.hi
                flat[f"{name}_lo_total"] = estimate.lo_total
                flat[f"{name}_hi_total"] = estimate.hi_total
        return flat

    @property
    def failed_checks(self) -> tuple[str, ...]:
        """Names of the laws that did not hold; empty in a sound run."""
        return tuple(check.name for check in self.checks if not check.holds)
