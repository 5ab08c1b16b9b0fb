"""A break-even map: the fastest method over device speed and link rate."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from plots.lines import names
from plots.methods import looks
from plots.style import COLUMN_IN, applied

__all__ = ["draw"]


def draw(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> Figure:
    """Return the map; a hatched cell is one whose winner's interval overlaps the second's.

    Args:
        rows: `device_over_server`, `rate_bps`, `method`, `latency_mean_s` with its interval.
        title: one line above the axes.
    """
    ratios = sorted({row["device_over_server"] for row in rows})
    rates = sorted({row["rate_bps"] for row in rows})
    how = looks(names(rows))
    winners = []
    with applied():
        figure = Figure(figsize=(COLUMN_IN, 3.6))
        axes = figure.subplots()
        for row, ratio in enumerate(ratios):
            for column, rate in enumerate(rates):
                here = sorted(
                    (r for r in rows if (r["device_over_server"], r["rate_bps"]) == (ratio, rate)),
                    key=lambda r: r["latency_mean_s"],
                )
                if not here:
                    continue
                colour = how[here[0]["method"]]["color"]
                winners.append(here[0]["method"])
                tied = len(here) > 1 and _overlap(here[0], here[1])
                axes.add_patch(
                    Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white",
                              linewidth=0.6, hatch="////" if tied else "", alpha=0.85)
                )  # fmt: skip
                if len(here) > 1:
                    more = here[1]["latency_mean_s"] / here[0]["latency_mean_s"]
                    axes.text(column + 0.5, row + 0.5, f"{more:.2f}", ha="center", va="center",
                              fontsize=6, color="white")  # fmt: skip
        axes.set_xlim(0, len(rates))
        axes.set_ylim(0, len(ratios))
        axes.set_xticks([i + 0.5 for i in range(len(rates))], [f"{r / 1e6:g}" for r in rates])
        axes.set_yticks([i + 0.5 for i in range(len(ratios))], [f"{r:.2g}" for r in ratios])
        axes.set(xlabel="link rate (Mb/s)", ylabel="device seconds / server seconds")
        axes.grid(visible=False)
        axes.set_title(title, loc="left")
        patches = [
            Patch(color=look["color"], label=name, alpha=0.85)
            for name, look in how.items()
            if name in winners
        ]
        figure.legend(handles=patches, loc="outside lower left", ncols=2, fontsize=6.5,
                      title="least mean latency; number: the second's over it",
                      title_fontsize=6.5, alignment="left")  # fmt: skip
        return figure


def _overlap(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    high, low = first.get("latency_mean_s_hi_total"), second.get("latency_mean_s_lo_total")
    return high is not None and low is not None and high >= low
