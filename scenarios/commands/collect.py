"""Build one table of many runs: splitfleet collect FOLDER ...

Every run folder below the given ones adds the rows of its last request (all finished points where
the run was interrupted before its table); column `run` says which folder a row came from, whatever
the row says itself. Rows that hold seconds of different machines under one name are marked in
column `mixed`. Lines that are no rows are passed over and counted.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from scenarios.sweep.columns import CHOICES
from scenarios.sweep.mixed import mark_mixed, tell_mixed
from scenarios.sweep.store import Row, Store, write_table
from sim.specs.check import option

POSITIONAL = "folders"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which runs, and where their table goes."""

    name: str = option("collect", "folder of the table below outputs/")
    columns: str = option("all", "all, or varying: those that differ between the rows")
    folders: list[str] = option([], "folders searched for runs; outputs/ if empty")

    def __post_init__(self) -> None:
        if self.columns not in CHOICES:
            raise ValueError(f"columns must be one of {', '.join(CHOICES)}, got {self.columns!r}")


def run(config: Config) -> int:
    """Write outputs/NAME/results.csv (and .parquet); status 1 if a row holds an error."""
    store = Store(Path("outputs") / config.name)
    roots = [Path(folder) for folder in config.folders or ["outputs"]]
    missing = next((root for root in roots if not root.is_dir()), None)
    if missing is not None:
        raise ValueError(f"folder {str(missing)!r} does not exist")
    below = [each for root in roots for each in sorted(p.parent for p in root.rglob("rows.jsonl"))]
    runs = [folder for folder in below if folder != store.folder]
    rows = mark_mixed([_placed(folder, row) for folder in runs for row in _rows(folder)])
    if not rows:
        raise ValueError(f"no run lies below {', '.join(map(str, roots))}")
    path = write_table(store.make() / "results.csv", rows, config.columns)
    failed = sum(bool(row.get("error")) for row in rows)
    print(f"{len(rows)} rows of {len(runs)} runs, {failed} failed: {path}")
    tell_mixed(rows)
    odd = sum(not row for folder in runs for row in Store(folder).rows())
    if odd:
        print(f"splitfleet: {odd} lines that are no rows were passed over", file=sys.stderr)
    return int(failed > 0)


def _placed(folder: Path, row: Row) -> Row:
    own = {name: value for name, value in row.items() if name != "run"}
    return {"run": str(folder), **own}


def _rows(folder: Path) -> list[Row]:
    store = Store(folder)
    latest, wanted = store.latest(), store.requested()
    return [latest[key] for key in wanted if key in latest] or list(latest.values())
