"""Throughput and tail latency against N, one column of panels per network."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plots.lines import Row, devices_axis, legend_below, line, log_axis, names
from plots.methods import looks
from plots.style import COLUMN_IN, INK, apply


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return two panels per link: throughput (closed loop, stragglers dashed) and p95 latency.

    Args:
        rows: `link`, `arrivals` ("closed", "stragglers", "asynchronous"), `method`, `n_devices`,
            `throughput_rps` and `latency_p95_s` with intervals.
        title: one line above the panels.
    """
    networks = names(rows, "link")
    how = looks(names(rows))
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 0.9 + 1.35 * len(networks)))
        drawn = figure.subplots(len(networks), 2, sharex=True, sharey="col", squeeze=False)
        for (left, right), link in zip(drawn, networks, strict=True):
            here = [row for row in rows if row["link"] == link]
            _panel(left, [r for r in here if r["arrivals"] == "closed"], how, "throughput_rps")
            dashed = {k: {**v, "linestyle": (0, (2, 1)), "marker": "", "linewidth": 0.8}
                      for k, v in how.items()}  # fmt: skip
            _panel(left, [r for r in here if r["arrivals"] == "stragglers"], dashed,
                   "throughput_rps", label=False)  # fmt: skip
            _panel(right, [r for r in here if r["arrivals"] == "asynchronous"], how,
                   "latency_p95_s", 1e3, label=False)  # fmt: skip
            left.set_title(link, loc="left", fontsize=7)
            for axes in (left, right):
                devices_axis(axes, rows, label=link == networks[-1])
                axes.set_yscale("log")
        for axes, text in zip(drawn[0], ("requests/s", "p95 latency (ms), Poisson"), strict=True):
            axes.text(1.0, 1.03, text, transform=axes.transAxes, ha="right", fontsize=6.5)
        log_axis(drawn[0, 0].yaxis, (1, 3))
        log_axis(drawn[0, 1].yaxis, (1, 3))
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        drawn[0, 0].plot([], [], color=INK, linestyle=(0, (2, 1)), linewidth=0.8,
                         label="1 in 10 is 10x slower")  # fmt: skip
        legend_below(figure, drawn[0, 0], bottom=0.0, share=0.09, ncols=3)
        return figure


def _panel(
    axes: Axes,
    rows: Sequence[Row],
    how: Mapping[str, Mapping[str, Any]],
    column: str,
    factor: float = 1.0,
    *,
    label: bool = True,
) -> list[Line2D]:
    for method, look in how.items():
        chosen = [row for row in rows if row["method"] == method]
        line(axes, chosen, column, look, factor=factor, label=method if label else "_")
    return list(axes.get_lines())
