"""Running time of device 0 for a fixed workload against N (the paper's Fig. 2 right)."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plots.lines import Row, devices_axis, line, log_axis, names
from plots.methods import looks, shorten
from plots.style import COLUMN_IN, apply


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return one panel per workload with a line per method.

    Args:
        rows: `panel`, `method`, `n_devices`, `device_time_s` with its interval; `device` and
            `server`.
        title: one line above the panels.
    """
    panels = names(rows, "panel")
    how = looks(names(rows))
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 1.0 + 1.65 * len(panels)))
        drawn = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(drawn, panels, strict=True):
            for method, look in how.items():
                chosen = [r for r in rows if (r["panel"], r["method"]) == (panel, method)]
                line(axes, chosen, "device_time_s", look)
            axes.set(yscale="log", ylabel="device 0 time (s)")
            axes.set_title(f"{panel}{_machines(rows, panel)}", loc="left", fontsize=7)
            log_axis(axes.yaxis, (1, 2, 5))
            devices_axis(axes, rows, label=panel == panels[-1])
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        figure.legend(
            handles=[Line2D([], [], label=shorten(name), **look) for name, look in how.items()],
            loc="outside lower left", ncols=4, columnspacing=1.0, alignment="left",
            title="line: method (split unless it says full), band: 95 % interval",
            title_fontsize=6.5,
        )  # fmt: skip
        return figure


def _machines(rows: Sequence[Row], panel: str) -> str:
    row = next(row for row in rows if row["panel"] == panel)
    return f": {row['device']}, {row['server']}" if row.get("device") else ""
