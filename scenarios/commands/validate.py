"""Compare the simulator with exact results of queueing theory: outputs/validate/validate.csv.

Deterministic cycles, M/M/1, M/D/1, M/G/1, M/M/c, finite buffers, bursts, tandems, ages, processor
sharing, closed networks, batch servers, 802.11 contention, fading, retransmission, churn, links and
servers that die, Wi-Fi's stations against a loop of their own and against ns-3: every simulated
figure is listed with its exact value and its interval. quick=true plays one seed (under a minute),
otherwise ten.
"""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scenarios.planning.workers import playing
from scenarios.present.summary import Summary, number
from scenarios.sweep.store import Store
from sim.specs.check import at_least, option
from sim.validation import SEEDS, Row, validate, verdict


@dataclass(frozen=True, kw_only=True)
class Config:
    """How much of the ladder."""

    name: str = option("validate", "folder of the results")
    quick: bool = option(False, "one seed instead of ten")
    workers: int = option(2, "processes; the table is the same")

    def __post_init__(self) -> None:
        at_least("workers", self.workers, 1)


def run(config: Config) -> int:
    """Play the ladder, write and print the table; status 1 if the verdict fails."""
    store = Store(Path("outputs") / config.name)
    with store.lock():
        with playing("validating", config.workers) as play:
            rows = validate(SEEDS[:1] if config.quick else SEEDS, play=play)
        path = store.folder / "validate.csv"
        _write(path, rows)
        store.write_run(command="validate", config=asdict(config))
    judgement = verdict(rows)
    _summary(rows).show()
    print(f"{judgement}\nwritten: {path}")
    return 0 if judgement.holds else 1


def _write(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0].columns()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.columns() for row in rows)


def _summary(rows: Sequence[Row]) -> Summary:
    """One line per case and metric: the exact value, the mean over seeds, how many lie inside."""
    lines = []
    for case, metric in dict.fromkeys((row.case, row.metric) for row in rows):
        same = [row for row in rows if (row.case, row.metric) == (case, metric)]
        mean = sum(row.simulated for row in same) / len(same)
        inside = f"{sum(row.inside for row in same)}/{len(same)}"
        engine = ", ".join(dict.fromkeys(row.engine for row in same))
        lines.append((case, metric, number(same[0].exact, 5), number(mean, 5), inside, engine))
    columns = ("case", "metric", "exact", "simulated", "inside", "engine")
    return Summary(columns=columns, rows=tuple(lines))
