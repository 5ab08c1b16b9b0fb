"""Throughput against the number of devices, a line per method (the paper's Fig. 2 left)."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plots.lines import devices_axis, line, names
from plots.methods import looks
from plots.style import COLUMN_IN, GREY, applied, shades

__all__ = ["draw"]

Row = Mapping[str, Any]


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return the two-panel figure: every method at one split, and the split moved.

    Args:
        rows: columns `panel` ("codecs" or "splits"), `n_devices`, `method`, `cut`,
            `throughput_rps` (with `_lo_total`, `_hi_total`) and `throughput_bound_rps`.
        title: one line above the axes.

    Raises:
        ValueError: if there is no row to draw.
    """
    if not rows:
        raise ValueError("nothing to draw: no row without an error")
    with applied():
        figure = Figure(figsize=(COLUMN_IN, 5.6))
        above, below = figure.subplots(2, 1, sharex=True)
        codecs = [row for row in rows if row["panel"] == "codecs"]
        splits = [row for row in rows if row["panel"] == "splits"]
        _panel(above, codecs, looks(names(codecs)))
        _panel(below, splits, _split_looks(splits))
        cut = next((r["cut"] for r in codecs if r["cut"] not in ("input", "output")), "")
        above.set_title(f"{title}\n(a) every method, split after {cut}", loc="left")
        below.set_title("(b) the split moves", loc="left")
        devices_axis(above, rows, label=False)
        devices_axis(below, rows)
        return figure


def _panel(axes: Axes, rows: Sequence[Row], how: Mapping[str, Mapping[str, Any]]) -> None:
    for method, look in how.items():
        chosen = [row for row in rows if row["method"] == method]
        line(axes, chosen, "throughput_rps", look, label=method)
        bound = sorted(chosen, key=lambda row: row["n_devices"])
        axes.plot(
            [row["n_devices"] for row in bound],
            [row.get("throughput_bound_rps") for row in bound],
            color=look["color"], linestyle="--", linewidth=0.5, alpha=0.7, zorder=1,
        )  # fmt: skip
    axes.set(yscale="log", ylabel="throughput (requests/s)")
    handles, labels = axes.get_legend_handles_labels()
    handles.append(Line2D([], [], color=GREY, linewidth=0.6, linestyle="--"))
    axes.legend(
        handles, [*labels, "bound"], loc="upper left", ncols=2, fontsize=5.5,
        columnspacing=0.8, handlelength=1.8, labelspacing=0.25, borderaxespad=0.1,
    )  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.35)  # room for the legend


def _split_looks(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Colour tells the cut; dotted with open markers where nothing is compressed."""
    colours = shades(list(dict.fromkeys(str(row["cut"]) for row in rows)))
    found = {}
    for row in rows:
        raw = str(row["method"]).endswith("no codec")
        colour = colours[row["cut"]]
        found[row["method"]] = {
            "color": colour,
            "marker": "o",
            "markerfacecolor": "white" if raw else colour,
            "linewidth": 0.9 if raw else 1.2,
            "linestyle": (0, (1, 1)) if raw else "-",
        }
    return found
