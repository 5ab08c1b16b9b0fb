"""The two tables of `codec`: rate against error with the bounds, and where bits and time go."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from profiles.measuring.coding import PARTS
from scenarios.present.summary import Summary, number
from scenarios.sweep.store import Row

BOUND = "memoryless R(D)"


class _Column(NamedTuple):
    """A figure of the task as the table shows it."""

    name: str
    heading: str
    factor: float


_TASK = (
    _Column("table_accuracy", "acc. %", 100.0),
    _Column("accuracy_drop", "drop pp", 100.0),
    _Column("bits_per_byte", "bits/byte", 1.0),
    _Column("bits_per_byte_rise", "rise", 1.0),
)


def rate_table(source: str, rows: Sequence[Row]) -> Summary:
    """Bits and error of every setting, the bounds at that error, and what the task loses."""
    coded = [row for row in rows if "encode_s" in row]
    task = [column for column in _TASK if coded and coded[0].get(column.name) is not None]
    cells = [
        (
            str(row["codec"]),
            number(row["bits_per_element"]),
            number(row["relative_l2"]),
            number(_rate_at(rows, row["relative_l2"])),
            number(row.get("symbol_entropy_bits")),
            *(number(column.factor * row[column.name]) for column in task),
        )
        for row in coded
    ]
    return Summary(
        title=f"Rate against error, {source}",
        finding=_finding(rows),
        columns=("setting", "bits", "rel. L2", "R(D)", "entropy", *(c.heading for c in task)),
        rows=tuple(cells),
        origin=(
            "Bits per element are those of whole streams, headers and tables included; errors and "
            "answers are measured here. R(D): independent elements of the same distribution at "
            "that error; entropy: order 0, of the values that came back, mean over the streams."
        ),
    )


def ledger_table(rows: Sequence[Row]) -> Summary:
    """Where the bits and the time go."""
    coded = [row for row in rows if "encode_s" in row]
    return Summary(
        title="Where the bits per element and the time go",
        finding="The parts add up to the bits of the first table.",
        columns=("setting", *PARTS, "encode ms", "decode ms"),
        rows=tuple(
            (
                str(row["codec"]),
                *(number(row[f"{part}_bits"]) for part in PARTS),
                number(1e3 * row["encode_s"]),
                number(1e3 * row["decode_s"]),
            )
            for row in coded
        ),
        origin="Milliseconds per sample: medians measured here, on one thread.",
    )


def _rate_at(rows: Sequence[Row], error: float) -> float | None:
    """R(D) between the computed points; nothing outside of them."""
    points = sorted(
        (row["relative_l2"], row["bits_per_element"]) for row in rows if row["method"] == BOUND
    )
    errors, rates = np.array(points).T
    if not errors[0] <= error <= errors[-1]:
        return None
    return float(np.interp(np.log(error), np.log(errors), rates))


def _finding(rows: Sequence[Row]) -> str:
    """Bits of every ladder at a relative L2 error of 0.1, where it spans that."""
    found = []
    for name in dict.fromkeys(row["method"] for row in rows):
        points = sorted(
            (row["relative_l2"], row["bits_per_element"]) for row in rows if row["method"] == name
        )
        errors, rates = np.array(points).T
        if len(points) > 1 and errors[0] <= 0.1 <= errors[-1] and errors[0] > 0:
            at = np.interp(np.log(0.1), np.log(errors), rates)
            found.append((float(at), f"{name} {number(float(at))}"))
    words = ", ".join(text for _, text in sorted(found))
    return f"Bits per element at a relative L2 error of 0.1 (interpolated): {words}."
