"""Right answers, airtime and N* over bit errors and lost segments, sent once and until right."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import Row, is_known, log_axis, names, whiskers
from plots.style import COLOURS, COLUMN_IN, GREY, INK, apply

_COLOURS = (*COLOURS, INK, GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "p")
_PANELS = (
    ("right_share", 100.0, "right answers\n(% of requests)"),
    ("airtime_s_per_departure", 1e3, "airtime of a\nrequest (ms)"),
    ("n_star", 1.0, "devices $N^*$"),
)
_TITLES = {
    "bit_error": "bits flipped,\ndelivered damaged", "erasure": "segments lost,\ndelivered without",
    "exact": "sent again\nuntil right",
}  # fmt: skip
_LABELS = {"bit_error_rate": "share of bits flipped", "frame_error_rate": "share of segments lost"}


def draw(rows: Sequence[Row], *, title: str = "", limit: str = "") -> Figure:
    """Return three panels for every axis and transport: right answers, airtime and N*.

    Args:
        rows: `way`, `axis`, `error_rate`, `transport`; `right_share`, `airtime_s_per_departure` and
            `n_star` with their intervals. Rows with a `fate` are not drawn.
        title: one line above.
        limit: what N* keeps.
    """
    rows = [row for row in rows if not row.get("fate")]
    ways = names(rows, "way")
    places = list(dict.fromkeys((row["axis"], row["transport"]) for row in rows))
    with apply():
        figure = Figure(figsize=(2 * COLUMN_IN, 5.6))
        grid = figure.subplots(3, len(places), sharey="row", sharex="col", squeeze=False)
        for column, (axis, transport) in enumerate(places):
            here = [r for r in rows if (r["axis"], r["transport"]) == (axis, transport)]
            rates = sorted({row["error_rate"] for row in here})
            for number, way in enumerate(ways):
                mine = [row for row in here if row["way"] == way]
                _line(list(grid[:, column]), mine, rates, number)
            grid[0, column].set_title(_TITLES[transport], loc="left", fontsize=7)
            grid[2, column].set_xlabel(_LABELS[axis])
            _mark_rates(grid[2, column], rates, is_log=axis == "bit_error_rate")
        for panel, (_, _, text) in zip(grid[:, 0], _PANELS, strict=True):
            panel.set_ylabel(text)
        grid[0, 0].set_ylim(0, 101)
        if any(row["airtime_s_per_departure"] for row in rows):
            grid[1, 0].set_yscale("log")
            log_axis(grid[1, 0].yaxis)
        grid[2, 0].set_ylim(bottom=0)
        grid[2, 0].set_title(limit, loc="left", fontsize=6)
        for number, way in enumerate(ways):
            grid[0, 0].plot([], [], label=way, **_look(number))
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        return figure


def _look(number: int) -> dict[str, Any]:
    return {"color": _COLOURS[number % len(_COLOURS)], "marker": _MARKERS[number % len(_MARKERS)],
            "markersize": 3.2, "linewidth": 0.9}  # fmt: skip


def _line(panels: Sequence[Axes], rows: Sequence[Row], rates: Sequence[float], n: int) -> None:
    """One way in the three panels of a column."""
    for panel, (column, factor, _) in zip(panels, _PANELS, strict=True):
        known = [row for row in rows if is_known(row.get(column))]
        at = [_place(row["error_rate"], rates, row["axis"]) for row in known]
        values, ends = [factor * row[column] for row in known], whiskers(known, column, factor)
        panel.errorbar(at, values, yerr=ends, elinewidth=0.6, **_look(n))


def _place(rate: float, rates: Sequence[float], axis: str) -> float:
    """Where a rate stands: shares of bits on a logarithmic axis, 0 a decade below the least."""
    if axis != "bit_error_rate":
        return rate
    least = min((each for each in rates if each > 0.0), default=1.0)
    return math.log10(rate if rate > 0.0 else least / 10.0)


def _mark_rates(axes: Axes, rates: Sequence[float], *, is_log: bool) -> None:
    """A tick at every rate that was played."""
    axis = "bit_error_rate" if is_log else "frame_error_rate"
    texts = [f"{rate:g}" for rate in rates]
    axes.set_xticks([_place(rate, rates, axis) for rate in rates], texts, fontsize=6)
    if is_log:
        axes.tick_params(axis="x", labelrotation=45)
    axes.spines["bottom"].set_color(INK)
