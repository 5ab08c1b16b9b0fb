"""What every command needs that makes rows: where they go, and how they are made."""

from dataclasses import dataclass

from scenarios.sweep.columns import CHOICES
from sim.specs.check import at_least, one_of, option


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Where the rows go, which of their columns are shown, and how they are made."""

    name: str = option("rows", "folder of the results below outputs/")
    columns: str = option(
        "all", "columns of results.csv and the screen: all, or varying (those that differ)"
    )
    workers: int = option(
        1, "processes that play the points, or the runs of a single one; the rows are the same"
    )
    dry_run: bool = option(False, "print the points and how long they would take, run none")
    force: bool = option(False, "play points that are foreseen to take more than ten minutes, too")

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or self.name.startswith("."):
            raise ValueError(f"name must be a plain folder name, got {self.name!r}")
        one_of("columns", self.columns, CHOICES)
        at_least("workers", self.workers, 1)
