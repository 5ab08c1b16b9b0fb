"""Throughput, running time and server load against the cut, and a map of N and cut."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from plots.lines import Row, log_axis, names, whiskers
from plots.style import COLOURS, COLUMN_IN, apply

_PANELS = (
    ("steady", "throughput_rps", 1.0, "requests/s"),
    ("fixed work", "device_time_s", 1.0, "device 0 time (s)"),
    ("steady", "server_s_per_request", 1e3, "server ms/request"),
)
_SHOWN = (1, 4, 16, 64)


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return three panels over the cut, a line per N, and the latency map below them.

    Args:
        rows: `cut`, `n_devices`, `phase` ("steady" or "fixed work") and the drawn columns.
        title: one line above the axes.
    """
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 6.4))
        *panels, chart = figure.subplots(4, 1, height_ratios=(1, 1, 1, 1.25))
        cuts = names(rows, "cut")
        for axes, (phase, column, factor, label) in zip(panels, _PANELS, strict=True):
            chosen = [row for row in rows if row["phase"] == phase]
            _panel(axes, chosen, cuts, column, factor)
            axes.set_ylabel(label)
        panels[0].set_yscale("log")
        log_axis(panels[0].yaxis, (1, 3))
        for axes in panels[1:]:
            axes.set_ylim(bottom=0)
        panels[0].set_title(title, loc="left")
        if panels[0].get_legend_handles_labels()[0]:
            panels[0].legend(ncols=4, loc="upper center", bbox_to_anchor=(0.45, 1.02), fontsize=6,
                             handlelength=1.2, columnspacing=0.9)  # fmt: skip
        low, high = panels[0].get_ylim()
        panels[0].set_ylim(low, high * 3)
        _map(figure, chart, [row for row in rows if row["phase"] == "steady"], cuts)
        return figure


def _panel(
    axes: Axes, rows: Sequence[Row], cuts: Sequence[str], column: str, factor: float
) -> None:
    sizes = [n for n in sorted({row["n_devices"] for row in rows}) if n in _SHOWN]
    for n, colour, marker in zip(sizes, COLOURS, "os^D", strict=False):
        chosen = [row for cut in cuts for row in rows if (row["cut"], row["n_devices"]) == (cut, n)]
        axes.errorbar(
            [cuts.index(row["cut"]) for row in chosen],
            [factor * row[column] for row in chosen],
            yerr=whiskers(chosen, column, factor),
            color=colour, marker=marker, linewidth=1.0, elinewidth=0.7, label=f"N = {n}",
        )  # fmt: skip
    axes.set_xticks(range(len(cuts)), cuts, fontsize=_tick_size(cuts))


def _map(figure: Figure, axes: Axes, rows: Sequence[Row], cuts: Sequence[str]) -> None:
    """Mean latency over the best cut's at the same N; the best cut is the line."""
    sizes = sorted({row["n_devices"] for row in rows})
    latency_s = np.full((len(sizes), len(cuts)), np.nan)
    for row in rows:
        at = sizes.index(row["n_devices"]), cuts.index(row["cut"])
        latency_s[at] = row["latency_mean_s"]
    ratio = latency_s / np.nanmin(latency_s, axis=1, keepdims=True)
    top = max(2.0, float(np.nanmax(ratio)))
    image = axes.pcolormesh(ratio, norm=LogNorm(1, top), cmap="cividis_r", rasterized=True)
    for (y, x), value in np.ndenumerate(ratio):
        dark = np.log(max(value, 1.0)) > 0.55 * np.log(top)
        text = f"{value:.2g}" if value < 99 else f"{value:.0f}"
        colour = "white" if dark else "black"
        axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=5.5, color=colour)
    best = np.nanargmin(latency_s, axis=1)
    axes.plot(best + 0.5, np.arange(len(sizes)) + 0.5, color="#D55E00", marker="s",
              markersize=11, markerfacecolor="none", linewidth=1.2)  # fmt: skip
    axes.set_xticks(np.arange(len(cuts)) + 0.5, cuts, fontsize=_tick_size(cuts))
    axes.set_yticks(np.arange(len(sizes)) + 0.5, [str(n) for n in sizes])
    axes.set(xlabel="cut: last stage on the device", ylabel="$N$")
    axes.set_title("mean latency over that of the best cut (squares)", loc="left", fontsize=7)
    axes.grid(visible=False)
    bar = figure.colorbar(image, ax=axes, pad=0.01)
    log_axis(bar.ax.yaxis)


def _tick_size(cuts: Sequence[str]) -> float:
    """Points in which the names of all cuts stand side by side."""
    return min(7.0, 330.0 / len("  ".join(cuts)))
