"""Server throughput against the number of devices, one line per method (the paper's Fig. 2 left).

Rows are tidy dicts; lists below hold one value per N, in the order of N.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator, PercentFormatter, ScalarFormatter

from plots.style import COLUMN_IN, GREY, INK, applied, shades

__all__ = ["draw"]

Row = Mapping[str, Any]


def draw(rows: Sequence[Row], *, title: str = "", note: str = "") -> Figure:
    """Return the two-panel figure: throughput with its bounds above, server utilization below.

    Args:
        rows: columns `n_devices`, `method`, `cut`, `codec`, `table_accuracy`,
            `throughput_rps`, `server_utilization` (each with `_lo_total`, `_hi_total`) and
            `throughput_bound_rps`.
        title: one line above the axes.
        note: small print below them: what is measured, what is scaled.

    Raises:
        ValueError: if there is no row to draw.
    """
    rows = [row for row in rows if not row.get("error")]
    if not rows:
        raise ValueError("nothing to draw: no row without an error")
    with applied():
        figure = Figure(figsize=(COLUMN_IN, 5.1))
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.7, 1))
        looks = _looks(rows)
        for method, look in looks.items():
            chosen = sorted((r for r in rows if r["method"] == method), key=_n_devices)
            _line(above, chosen, "throughput_rps", look, _label(chosen[0]))
            _bound(above, chosen, look)
            _line(below, chosen, "server_utilization", look)
        _finish(above, below, [int(n) for n in sorted({_n_devices(r) for r in rows})])
        above.set_title(title, loc="left")
        _legend(figure, above, note)
        return figure


def _n_devices(row: Row) -> float:
    return float(row["n_devices"])


def _looks(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Colour tells the cut, a filled marker the compressed payload; ends of the scale are grey."""
    cuts = dict.fromkeys(r["cut"] for r in rows if r["cut"] not in ("input", "output"))
    colours = {**shades(list(cuts)), "input": INK, "output": GREY}
    markers = {"input": "s", "output": "D"}
    looks = {}
    for row in rows:
        raw = str(row["codec"]).startswith("raw") and row["cut"] != "output"
        colour = colours[row["cut"]]
        looks[row["method"]] = {
            "color": colour,
            "marker": markers.get(row["cut"], "o"),
            "markerfacecolor": "white" if raw else colour,
            "linewidth": 0.8 if raw else 1.3,
            "linestyle": (0, (1, 1)) if raw else "-",
        }
    return looks


def _label(row: Row) -> str:
    accuracy = row.get("table_accuracy")
    return row["method"] + (f"  {100 * float(accuracy):.1f} %" if accuracy is not None else "")


def _line(
    axes: Axes, rows: Sequence[Row], column: str, look: Mapping[str, Any], label: str = "_"
) -> None:
    x = [_n_devices(row) for row in rows]
    axes.plot(x, [row[column] for row in rows], label=label, zorder=3, **look)
    if all(row.get(f"{column}_lo_total") is not None for row in rows):
        low, high = ([row[f"{column}{end}"] for row in rows] for end in ("_lo_total", "_hi_total"))
        axes.fill_between(x, low, high, color=look["color"], alpha=0.22, linewidth=0, zorder=2)


def _bound(axes: Axes, rows: Sequence[Row], look: Mapping[str, Any]) -> None:
    x = [_n_devices(row) for row in rows]
    y = [row.get("throughput_bound_rps") for row in rows]
    if all(value is not None for value in y):
        axes.plot(x, y, color=look["color"], linestyle="--", linewidth=0.6, alpha=0.75, zorder=1)


def _finish(above: Axes, below: Axes, n_devices: Sequence[int]) -> None:
    above.set(xscale="log", yscale="log", ylabel="throughput (requests/s)")
    above.yaxis.set_major_formatter(ScalarFormatter())
    below.set(xlabel="number of devices $N$", ylabel="server utilization", ylim=(-0.03, 1.05))
    below.yaxis.set_major_formatter(PercentFormatter(1.0))
    below.xaxis.set_minor_locator(NullLocator())
    below.set_xticks(n_devices, [str(n) for n in n_devices])


def _legend(figure: Figure, axes: Axes, note: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    handles.append(Line2D([], [], color=GREY, linewidth=0.6, linestyle="--"))
    labels.append("bound min(N/(D+Z), 1/S)")
    small = textwrap.fill(note, 90)
    figure.text(0.02, 0.008, small, fontsize=5, color=GREY, va="bottom", linespacing=1.25)
    figure.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0.0, 0.075),
        ncols=2,
        title="method and its accuracy; band: 95 % interval",
        title_fontsize=6.5,
        alignment="left",
        columnspacing=1.2,
    )
    figure.get_layout_engine().set(rect=(0, 0.255, 1, 0.745))  # type: ignore[union-attr, call-arg]
