"""Accuracy, latency and payload of what a search finds, against the number of devices."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import Row, devices_axis, line, log_axis, names
from plots.style import COLOURS, COLUMN_IN, INK, apply

_LOOKS: dict[str, dict[str, Any]] = {
    "formula": {"color": COLOURS[1], "marker": "s", "markersize": 3, "linewidth": 0.9},
    "simulator": {"color": COLOURS[0], "marker": "o", "markersize": 3, "linewidth": 0.9},
}


def draw(rows: Sequence[Row], *, title: str = "", limit_s: float) -> Figure:
    """Return three panels over N: accuracy, latency as played with the limit, payload and cut.

    Args:
        rows: `evaluator`, `n_devices`, `accuracy_checked`, `latency_mean_s` with its interval,
            `latency_p95_s`, `payload_bytes`, `cut`.
        title: one line above the panels.
        limit_s: on the mean latency.
    """
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 4.0))
        panels = figure.subplots(3, 1, sharex=True)
        for name in names(rows, "evaluator"):
            mine, look = [r for r in rows if r["evaluator"] == name], _LOOKS[name]
            line(panels[0], mine, "accuracy_checked", look, factor=100.0, label=f"by {name}")
            line(panels[1], mine, "latency_mean_s", look, factor=1e3)
            dashed = {**look, "marker": "", "linestyle": (0, (2, 1))}
            line(panels[1], mine, "latency_p95_s", dashed, factor=1e3)
            line(panels[2], mine, "payload_bytes", look)
            _say_cuts(panels[2], mine, look, above=name == "simulator")
        panels[1].axhline(1e3 * limit_s, color=INK, linewidth=0.6)
        panels[1].text(0.01, 1e3 * limit_s, "limit", fontsize=6, va="bottom",
                       transform=panels[1].get_yaxis_transform())  # fmt: skip
        for label, style in (("mean latency", "-"), ("95th percentile", (0, (2, 1)))):
            panels[0].plot([], [], color=INK, linewidth=0.9, linestyle=style, label=label)
        panels[0].legend(loc="lower left", fontsize=6, ncols=2)
        panels[1].set_ylim(bottom=0.0)
        panels[2].set_yscale("log")
        log_axis(panels[2].yaxis, (1,))
        panels[2].margins(y=0.25)
        for axes, text in zip(panels, ("accuracy (%)", "latency (ms)", "bytes, cut after block"),
                              strict=True):  # fmt: skip
            axes.set_ylabel(text)
        devices_axis(panels[2], rows)
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        return figure


def _say_cuts(axes: Axes, rows: Sequence[Row], look: Mapping[str, Any], *, above: bool) -> None:
    """Which block it is cut behind, beside every point."""
    for row in rows:
        axes.annotate(
            str(row["cut"]).removeprefix("block"), (row["n_devices"], row["payload_bytes"]),
            xytext=(0, 5 if above else -10), textcoords="offset points", ha="center", fontsize=5.5,
            color=look["color"],
        )  # fmt: skip
