"""Server seconds per request and utilization against N (the paper's Fig. 1d)."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from plots.lines import Row, claim, devices_axis, legend_below, line, log_axis, names
from plots.methods import looks
from plots.style import COLUMN_IN, apply

_CLAIMED = 4.4


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return two panels over N: milliseconds of the server per request, and its utilization.

    Args:
        rows: `method`, `n_devices`, `server_s_per_request` and `server_utilization`.
        title: one line above the axes.
    """
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 4.5))
        above, below = figure.subplots(2, 1, sharex=True)
        for method, look in looks(names(rows)).items():
            chosen = [row for row in rows if row["method"] == method]
            if any(row["server_s_per_request"] for row in chosen):  # nothing at full device
                line(above, chosen, "server_s_per_request", look, factor=1e3)
            line(below, [_cap(row) for row in chosen], "server_utilization", look, label=method)
        full = [r["server_s_per_request"] for r in rows if r["method"] == "full server, raw"]
        if full:
            claim(above, 1e3 * max(full) / _CLAIMED, 1e3 * max(full),
                  "claimed: up to 4.4x less than the full server", below=True)  # fmt: skip
        above.set(yscale="log", ylabel="server ms per request")
        log_axis(above.yaxis)
        above.set_title(title, loc="left")
        below.set(ylabel="server utilization", ylim=(-0.03, 1.05))
        below.yaxis.set_major_formatter(PercentFormatter(1.0))
        devices_axis(above, rows, label=False)
        devices_axis(below, rows)
        legend_below(figure, below, bottom=0.0, share=0.16, title="method; band: 95 % interval",
                     ncols=3)  # fmt: skip
        return figure


def _cap(row: Row) -> Row:
    """The row with a utilization whose interval ends at 1: one by a t test may reach beyond."""
    ends = {key: value for key, value in row.items() if key.startswith("server_utilization")}
    return {**row, **{key: value and min(value, 1.0) for key, value in ends.items()}}
