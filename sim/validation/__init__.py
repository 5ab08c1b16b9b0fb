"""The ladder of systems with known answers, played and compared: `splitfleet validate`.

`validate(seeds)` gives rows (case, metric, seed, exact, simulated, lo, hi, inside,
engine); `verdict(rows)` says whether they hold together.
"""

from sim.validation.case import Case, Metric, Row
from sim.validation.ladder import SEEDS, Verdict, cases, validate, verdict

__all__ = ["SEEDS", "Case", "Metric", "Row", "Verdict", "cases", "validate", "verdict"]
