"""The short table below a figure: what it shows in numbers, and what kind of numbers they are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["Summary", "between", "number"]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Title, the finding in sentences, a table of words, and where its numbers come from."""

    title: str
    finding: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    origin: str

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"summary row must have {len(self.columns)} cells, got {row}")

    def plain(self) -> dict[str, Any]:
        """JSON, for run.json and the report."""
        return asdict(self)

    def markdown(self) -> str:
        """Title, finding, table, origin."""
        lines = [f"# {self.title}", "", self.finding, ""]
        lines += ["| " + " | ".join(self.columns) + " |", "|" + "---|" * len(self.columns)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([*lines, "", self.origin, ""])

    def show(self) -> None:
        """Print it."""
        console = Console()
        console.print(escape(self.title), style="bold", highlight=False)
        table = Table(box=None, pad_edge=False, padding=(0, 1))
        for i, heading in enumerate(self.columns):
            table.add_column(heading, justify="right" if i else "left")
        for row in self.rows:
            table.add_row(*map(escape, row))
        console.print(table)
        console.print(escape(self.finding), highlight=False, soft_wrap=True)
        console.print(escape(self.origin), highlight=False, soft_wrap=True, style="dim")


def between(row: Mapping[str, Any], column: str, factor: float = 1.0) -> str:
    """`mean [low, high]` of a column, the wider interval where both exist; a dash if unknown."""
    if row.get(column) is None:
        return "-"
    for ends in (("_lo_total", "_hi_total"), ("_lo", "_hi")):
        low, high = (row.get(f"{column}{end}") for end in ends)
        if low is not None and high is not None:
            low, high = factor * low, factor * high
            return f"{number(factor * row[column])} [{number(low)}, {number(high)}]"
    return number(factor * row[column])


def number(value: float) -> str:
    """Three significant digits, thousands as they are."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
