"""A break-even map: the fastest method over device speed and link rate, one map per N."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from plots.lines import Row, names
from plots.methods import looks
from plots.style import COLUMN_IN, apply


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return the maps; "~" marks a cell whose winner's interval overlaps the second's.

    Args:
        rows: `n_devices`, `device_over_server`, `rate_bps`, `method`, `latency_mean_s` with its
            interval.
        title: one line above the maps.
    """
    sizes = sorted({row["n_devices"] for row in rows})
    how = looks(names(rows))
    winners: list[str] = []
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 1.0 + 2.2 * len(sizes)))
        drawn = figure.subplots(len(sizes), 1, sharex=True, squeeze=False)[:, 0]
        for axes, n in zip(drawn, sizes, strict=True):
            winners += _map(axes, [row for row in rows if row["n_devices"] == n], how)
            axes.set_title(f"N = {n}", loc="left", fontsize=7)
            axes.set_ylabel("device s / server s")
        drawn[-1].set_xlabel("link rate (Mb/s)")
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        patches = [
            Patch(color=look["color"], label=name) for name, look in how.items() if name in winners
        ]
        figure.legend(
            handles=patches, loc="outside lower left", ncols=2, fontsize=6.5,
            title="least mean latency; number: the second's over it (~: intervals overlap)",
            title_fontsize=6.5, alignment="left",
        )  # fmt: skip
        return figure


def _map(axes: Axes, rows: Sequence[Row], how: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Fill the cells and return who won them."""
    ratios = sorted({row["device_over_server"] for row in rows})
    rates = sorted({row["rate_bps"] for row in rows})
    winners = []
    for row, ratio in enumerate(ratios):
        for column, rate in enumerate(rates):
            here = sorted(
                (r for r in rows if (r["device_over_server"], r["rate_bps"]) == (ratio, rate)),
                key=lambda r: r["latency_mean_s"],
            )
            if not here:
                continue
            winners.append(here[0]["method"])
            colour = how[winners[-1]]["color"]
            cell = Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", lw=0.6)
            axes.add_patch(cell)
            if len(here) > 1:
                axes.text(column + 0.5, row + 0.5, _lead(*here[:2]), ha="center", va="center",
                          fontsize=6.5, color="white")  # fmt: skip
    axes.set_xlim(0, len(rates))
    axes.set_ylim(0, len(ratios))
    axes.set_xticks([i + 0.5 for i in range(len(rates))], [f"{r / 1e6:g}" for r in rates])
    axes.set_yticks([i + 0.5 for i in range(len(ratios))], [f"{r:.2g}" for r in ratios])
    axes.grid(visible=False)
    return winners


def _lead(first: Row, second: Row) -> str:
    """How much longer the second takes."""
    more = second["latency_mean_s"] / first["latency_mean_s"]
    high, low = first.get("latency_mean_s_hi_total"), second.get("latency_mean_s_lo_total")
    tied = high is not None and low is not None and high >= low
    return f"{'~' if tied else ''}{more:.2f}" if more < 100 else f"{more:.0f}"
