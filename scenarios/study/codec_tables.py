"""The two tables of `codec`: rate against error with the bounds, and where bits and time go."""

from collections.abc import Sequence

import numpy as np

from profiles.measuring.coding import PARTS
from scenarios.present.summary import Summary, number
from scenarios.sweep.store import Row

BOUND = "memoryless R(D)"
_TASK = (
    ("table_accuracy", "acc. %", 100.0),
    ("accuracy_drop", "drop pp", 100.0),
    ("bits_per_byte", "bits/byte", 1.0),
    ("bits_per_byte_rise", "rise", 1.0),
)


def rate_table(source: str, rows: Sequence[Row]) -> Summary:
    """Bits and error of every setting, the bounds at that error, and what the task loses."""
    coded = [row for row in rows if "encode_s" in row]
    task = [each for each in _TASK if coded and coded[0].get(each[0]) is not None]
    cells = [
        (
            str(row["codec"]),
            number(row["bits_per_element"]),
            number(row["relative_l2"]),
            number(_rate_at(rows, BOUND, row["relative_l2"])),
            number(row.get("symbol_entropy_bits")),
            *(number(factor * row[name]) for name, _, factor in task),
        )
        for row in coded
    ]
    return Summary(
        title=f"Rate against error, {source}",
        finding=_finding(rows),
        columns=(
            "setting",
            "bits",
            "rel. L2",
            "R(D)",
            "entropy",
            *(heading for _, heading, _ in task),
        ),
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


def _rate_at(rows: Sequence[Row], method: str, error: float | None) -> float | None:
    """Bits of a ladder between its points, straight in log error; None outside of them.

    Points without error have no place on a logarithm, those without a finite one nowhere.
    """
    points = [
        (row["relative_l2"], row["bits_per_element"])
        for row in rows
        if row["method"] == method and row["relative_l2"]
    ]
    if len(points) < 2 or not error:
        return None
    errors, rates = np.array(sorted(points)).T
    if not errors[0] <= error <= errors[-1]:
        return None
    return float(np.interp(np.log(error), np.log(errors), rates))


def _finding(rows: Sequence[Row]) -> str:
    """Bits of every ladder at a relative L2 error of 0.1, where it spans that."""
    names = dict.fromkeys(row["method"] for row in rows)
    rates = sorted(
        (rate, name) for name in names if (rate := _rate_at(rows, name, 0.1)) is not None
    )
    words = ", ".join(f"{name} {number(rate)}" for rate, name in rates)
    return f"Bits per element at a relative L2 error of 0.1 (interpolated): {words}."
