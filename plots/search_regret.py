"""Searches against the optimum: regret, evaluations, and how far predictions can be trusted."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import Row
from plots.style import COLOURS, COLUMN_IN, GREY, apply

_BEST = "exhaustive"


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return three panels: regret by share of problems, evaluations, latency error by load.

    Args:
        rows: of kind "search" (`problem`, `search`, `feasible`, `regret`, `evaluation_share`) and
            of kind "ours" or "random" (`load`, `latency_error`).
        title: one line above.
    """
    searched = [row for row in rows if row["kind"] == "search"]
    names = [n for n in dict.fromkeys(row["search"] for row in searched) if n != _BEST]
    colours = dict(zip(names, COLOURS, strict=False))
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 5.6))
        figure.suptitle(title, x=0.01, ha="left", fontsize=8)
        regret, cost, trust = figure.subplots(3, 1)
        _regret(regret, searched, colours)
        _cost(cost, searched, colours)
        _trust(trust, rows)
        return figure


def _regret(axes: Axes, rows: Sequence[Row], colours: Mapping[str, str]) -> None:
    """Share of the feasible problems that end within a regret; what was not found never does."""
    solvable = {r["problem"] for r in rows if r["search"] == _BEST and r["feasible"]}
    for name, colour in colours.items():
        mine = [r["regret"] for r in rows if r["search"] == name and r["problem"] in solvable]
        values = np.sort([100 * v for v in mine if math.isfinite(v)])
        share = 100 * np.arange(1, len(values) + 1) / max(len(solvable), 1)
        axes.step(np.maximum(values, 0.1), share, where="post", color=colour, label=name)
        if len(values):
            axes.plot([max(values[-1], 0.1), 1e3], [share[-1]] * 2, color=colour)
    axes.axvline(2.0, color=GREY, linewidth=0.6, linestyle=":")
    axes.set(xscale="log", xlim=(0.1, 1e3), ylim=(0, 102),
             xlabel="regret in server seconds at most (%; dotted: 2 %)",
             ylabel="feasible problems (%)")  # fmt: skip
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.2)


def _cost(axes: Axes, rows: Sequence[Row], colours: Mapping[str, str]) -> None:
    data = [[100 * r["evaluation_share"] for r in rows if r["search"] == name] for name in colours]
    boxes = axes.boxplot(data, orientation="horizontal", widths=0.6, patch_artist=True,
                         medianprops={"color": "white"},
                         flierprops={"markersize": 1.5})  # fmt: skip
    for box, colour in zip(boxes["boxes"], colours.values(), strict=True):
        box.set(facecolor=colour, edgecolor=colour)
    axes.axvline(5.0, color=GREY, linewidth=0.6, linestyle=":")
    axes.set_yticks(range(1, len(colours) + 1), list(colours))
    axes.set(xscale="log", xlabel="evaluations (% of exhaustive; dotted: 5 %)")
    axes.invert_yaxis()


def _trust(axes: Axes, rows: Sequence[Row]) -> None:
    for kind, colour, label in (("random", GREY, "random choices"),
                                ("ours", COLOURS[0], "decisions of fleet")):  # fmt: skip
        mine = [r for r in rows if r["kind"] == kind and math.isfinite(r["latency_error"])]
        axes.scatter([r["load"] for r in mine], [100 * r["latency_error"] for r in mine],
                     s=5, color=colour, label=label, linewidths=0)  # fmt: skip
    axes.axhline(0.0, color=GREY, linewidth=0.6)
    axes.set(xlabel="predicted load of the busier of link and server",
             ylabel="latency, predicted over\nsimulated - 1 (%)", xlim=(0, 1))  # fmt: skip
    axes.legend(loc="lower left")
