"""Devices served by every way to choose, a line per fleet."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from plots.lines import log_axis, names
from plots.style import COLOURS, COLUMN_IN, GREY, applied

__all__ = ["draw"]

Row = Mapping[str, Any]

_LOOKS = {
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
    with applied():
        figure = Figure(figsize=(COLUMN_IN, 1.0 + 0.34 * len(fleets)))
        axes = figure.subplots()
        for shift, method in enumerate(methods):
            mine = [row for row in rows if row["method"] == method and row["n_star"] > 0]
            offset = 0.15 * (shift - 0.5 * (len(methods) - 1))
            at = [fleets.index(str(row["scenario"])) + offset for row in mine]
            n_star = [row["n_star"] for row in mine]
            low = [row["n_star"] - row["n_star_lo"] for row in mine]
            high = [row["n_star_hi"] - row["n_star"] for row in mine]
            axes.errorbar(
                n_star, at, xerr=[low, high], label=method, linestyle="none",
                elinewidth=0.7, **_LOOKS.get(method, {"color": GREY, "marker": "x"}),
            )  # fmt: skip
        axes.set_xscale("log")
        log_axis(axes.xaxis, (1, 2, 5))
        axes.set_yticks(range(len(fleets)), fleets)
        axes.set_ylim(len(fleets) - 0.5, -0.5)
        axes.set_xlabel("devices within the limit, $N^*$")
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        figure.legend(loc="outside lower center", ncols=len(methods))
        return figure
