"""Devices served by every way to choose, a line per fleet."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from plots.lines import Row, log_axis, names
from plots.style import COLOURS, COLUMN_IN, GREY, apply

_APART = 0.18

_LOOKS: dict[str, dict[str, Any]] = {
    "latency": {"color": GREY, "marker": "D"},
    "paper": {"color": COLOURS[4], "marker": "v"},
    "own": {"color": COLOURS[1], "marker": "s"},
    "online": {"color": COLOURS[2], "marker": "^"},
    "fleet": {"color": COLOURS[0], "marker": "o"},
}


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return one panel: N* with its interval on a logarithmic axis, fleets from top to bottom.

    Args:
        rows: `scenario`, `method`, `n_star` with `_lo` and `_hi`; a fleet that serves none is left
            out of its line.
        title: one line above the panel.
    """
    fleets, methods = names(rows, "scenario"), names(rows)
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 1.0 + 0.48 * len(fleets)))
        axes = figure.subplots()
        for edge in range(1, len(fleets)):  # a line between fleets, none through their markers
            axes.axhline(edge - 0.5, color="#c8c8c8", linewidth=0.5)
        axes.grid(False, axis="y")
        for shift, method in enumerate(methods):
            mine = [row for row in rows if row["method"] == method and row["n_star"] > 0]
            offset = _APART * (shift - 0.5 * (len(methods) - 1))
            at = [fleets.index(str(row["scenario"])) + offset for row in mine]
            n_star = [row["n_star"] for row in mine]
            low = [row["n_star"] - row["n_star_lo"] for row in mine]
            high = [row["n_star_hi"] - row["n_star"] for row in mine]
            axes.errorbar(
                n_star, at, xerr=[low, high], label=method, linestyle="none",
                elinewidth=0.7, capsize=1.8, capthick=0.7, markersize=2.6,
                **_LOOKS.get(method, {"color": GREY, "marker": "x"}),
            )  # fmt: skip
        axes.set_xscale("log")
        log_axis(axes.xaxis, (1, 2, 5))
        axes.set_yticks(range(len(fleets)), fleets)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(fleets) - 0.5, -0.5)
        axes.set_xlabel("devices within the limit, $N^*$")
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        figure.legend(loc="outside lower center", ncols=len(methods))
        return figure
