"""Contention: what n stations get together, by source, over their number."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from plots.lines import Row, devices_axis, line, names
from plots.style import COLOURS, COLUMN_IN, GREY, apply


def draw(rows: Sequence[Row], *, rate_bps: float) -> Figure:
    """Return one panel with a line per source.

    Args:
        rows: `method`, `n_devices`, `efficiency` with its interval where there is one.
        rate_bps: the physical rate, for the scale on the right.
    """
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 2.7))
        axes = figure.add_subplot()
        for i, name in enumerate(names(rows)):
            ideal = i == len(names(rows)) - 1
            colour = GREY if ideal else COLOURS[i]
            marker = (
                {"marker": "osD"[i], "ls": "--" if i == 2 else "-"} if not ideal else {"ls": ":"}
            )
            chosen = [row for row in rows if row["method"] == name]
            line(axes, chosen, "efficiency", {"color": colour, **marker}, label=name)
        axes.set(ylim=(0, 1), ylabel="goodput of all stations / physical rate")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        devices_axis(axes, rows)
        axes.set_xlabel("saturated stations n")
        scale: Any = (lambda y: y * rate_bps / 1e6, lambda y: y * 1e6 / rate_bps)
        right = axes.secondary_yaxis("right", functions=scale)
        right.set_ylabel("Mb/s")
        axes.legend(loc="lower left")
        axes.set_title("802.11ax, 20 MHz, one stream, HE-MCS7", loc="left")
    return figure
