"""Speeds of a medium over time: what `link.rate_csv` names.

A file has the columns time_s (ascending) and factor (>= 0, of the link's own speed). Those shipped
in profiles/data/rates are synthetic (sim/radio/fluctuation.py); a recording in the same two columns
is played the same way.
"""

import csv
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from sim.specs.check import one_of

Rows = list[tuple[float, float]]


def read(name: str) -> Rows:
    """Rows of a rate trace, from a file or, where there is none, from a shipped one of that name.

    Raises:
        ValueError: an unknown name, other columns, times that descend, factors below 0.
    """
    with locate(name).open() as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None or not {"time_s", "factor"} <= set(reader.fieldnames):
            raise ValueError(f"link.rate_csv needs columns time_s, factor, got {name}")
        rows = [(float(row["time_s"]), float(row["factor"])) for row in reader]
    times = [time for time, _ in rows]
    if times != sorted(times) or any(factor < 0.0 for _, factor in rows):
        raise ValueError(f"link.rate_csv needs ascending times and factors >= 0, got {name}")
    if rows and rows[-1][1] == 0.0:
        raise ValueError(f"link.rate_csv must not end in silence, which lasts for ever, got {name}")
    return rows


def locate(name: str) -> Traversable | Path:
    """The file that `link.rate_csv` means."""
    if Path(name).exists():
        return Path(name)
    folder = resources.files("profiles") / "data" / "rates"
    one_of("link.rate_csv", name, [item.name for item in folder.iterdir()])
    return folder / name
