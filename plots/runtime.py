"""Running time of device 0 for a fixed workload against N (the paper's Fig. 2 right)."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from plots.lines import devices_axis, legend_below, line, log_axis, names
from plots.methods import looks
from plots.style import COLUMN_IN, applied

__all__ = ["draw"]


def draw(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> Figure:
    """Return one panel per workload with a line per method.

    Args:
        rows: `panel`, `method`, `n_devices`, `device_time_s` with its interval.
        title: one line above the panels.
    """
    panels = names(rows, "panel")
    known = {name: "full server, raw" if name == "full server" else name for name in names(rows)}
    how = looks(list(known.values()))
    with applied():
        figure = Figure(figsize=(COLUMN_IN, 1.0 + 1.65 * len(panels)))
        drawn = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(drawn, panels, strict=True):
            for method, name in known.items():
                chosen = [r for r in rows if (r["panel"], r["method"]) == (panel, method)]
                line(axes, chosen, "device_time_s", how[name], label=method)
            axes.set(yscale="log", ylabel="device 0 time (s)")
            axes.set_title(panel, loc="left", fontsize=7)
            log_axis(axes.yaxis, (1, 2, 5))
            devices_axis(axes, rows, label=panel == panels[-1])
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        legend_below(figure, drawn[0], bottom=0.0, share=0.12, ncols=3)
        return figure
