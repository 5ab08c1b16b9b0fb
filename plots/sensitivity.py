"""A break-even map: the best method over device speed and link rate, one map per N."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from plots.lines import Row, is_known, names
from plots.methods import looks
from plots.style import COLUMN_IN, apply

WORDS = {
    "latency_mean_s": "least mean latency",
    "latency_p95_s": "least 95th percentile of the latency",
    "throughput_rps": "largest throughput",
    "server_s_per_request": "least server time per request",
    "device_energy_j_per_request": "least energy of the device per request",
    "energy_j_per_request": "least energy of device and server per request",
}
"""What may be compared, and in words what is best."""


def draw(rows: Sequence[Row], *, title: str = "", measure: str = "latency_mean_s") -> Figure:
    """Return the maps; "~" marks a cell whose winner's interval overlaps the second's.

    Args:
        rows: `n_devices`, `device_over_server`, `rate_bps`, `method`, `measure` with its interval.
        title: one line above the maps.
        measure: the column that decides; one of `WORDS`.
    """
    sizes = sorted({row["n_devices"] for row in rows})
    how = looks(names(rows))
    winners: list[str] = []
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 1.0 + 2.2 * len(sizes)))
        drawn = figure.subplots(len(sizes), 1, sharex=True, squeeze=False)[:, 0]
        for axes, n in zip(drawn, sizes, strict=True):
            winners += _map(axes, [row for row in rows if row["n_devices"] == n], how, measure)
            axes.set_title(f"N = {n}", loc="left", fontsize=7)
            axes.set_ylabel("device s / server s")
        drawn[-1].set_xlabel("link rate (Mb/s)")
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        patches = [
            Patch(color=look["color"], label=name) for name, look in how.items() if name in winners
        ]
        figure.legend(
            handles=patches, loc="outside lower left", ncols=2, fontsize=6.5,
            title=f"{WORDS[measure]}; number: how far the second is (~: intervals overlap)",
            title_fontsize=6.5, alignment="left",
        )  # fmt: skip
        return figure


def rank(rows: Sequence[Row], measure: str) -> list[Row]:
    """Those that have the measure, the best first."""
    known = [row for row in rows if is_known(row.get(measure))]
    return sorted(known, key=lambda row: row[measure], reverse=measure == "throughput_rps")


def overlap(one: Row, other: Row, measure: str) -> bool:
    """Whether the intervals of both have something in common, or nobody knows them."""
    less, more = sorted((one, other), key=lambda row: row[measure])
    high, low = less.get(f"{measure}_hi_total"), more.get(f"{measure}_lo_total")
    return not (is_known(high) and is_known(low) and high < low)


def _map(
    axes: Axes, rows: Sequence[Row], how: Mapping[str, Mapping[str, Any]], measure: str
) -> list[str]:
    """Fill the cells and return who won them."""
    ratios = sorted({row["device_over_server"] for row in rows})
    rates = sorted({row["rate_bps"] for row in rows})
    winners = []
    for row, ratio in enumerate(ratios):
        for column, rate in enumerate(rates):
            at = [r for r in rows if (r["device_over_server"], r["rate_bps"]) == (ratio, rate)]
            here = rank(at, measure)
            if not here:
                continue
            winners.append(here[0]["method"])
            colour = how[winners[-1]]["color"]
            cell = Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", lw=0.6)
            axes.add_patch(cell)
            if len(here) > 1:
                lead = _lead(here[0], here[1], measure)
                axes.text(column + 0.5, row + 0.5, lead, ha="center", va="center",
                          fontsize=6.5, color="white")  # fmt: skip
    axes.set_xlim(0, len(rates))
    axes.set_ylim(0, len(ratios))
    axes.set_xticks([i + 0.5 for i in range(len(rates))], [f"{r / 1e6:g}" for r in rates])
    axes.set_yticks([i + 0.5 for i in range(len(ratios))], [f"{r:.3g}" for r in ratios])
    axes.grid(visible=False)
    return winners


def _lead(first: Row, second: Row, measure: str) -> str:
    """By what factor the second is worse."""
    less, more = sorted((first, second), key=lambda row: row[measure])
    more_by = more[measure] / less[measure] if less[measure] else math.inf
    tied = "~" if overlap(first, second, measure) else ""
    return f"{tied}{more_by:.2f}" if more_by < 100 else f"{more_by:.0f}"
