"""Lines with bands over the number of devices, and the legend below: parts of several figures.

Rows are tidy dicts; a line holds the rows of one method in the order of N.
"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from plots.style import GREY

__all__ = ["band", "claim", "devices_axis", "legend_below", "line", "names", "note_below"]

Row = Mapping[str, Any]


def names(rows: Sequence[Row], column: str = "method") -> list[str]:
    """Distinct values of a column in the order of the rows."""
    return list(dict.fromkeys(str(row[column]) for row in rows))


def line(
    axes: Axes,
    rows: Sequence[Row],
    y: str,
    look: Mapping[str, Any],
    *,
    x: str = "n_devices",
    label: str = "_",
    factor: float = 1.0,
) -> None:
    """Draw column `y` times `factor` against `x` with its 95 % band."""
    rows = sorted((row for row in rows if row.get(y) is not None), key=lambda row: row[x])
    at = [row[x] for row in rows]
    axes.plot(at, [factor * row[y] for row in rows], label=label, zorder=3, **look)
    band(axes, rows, y, look["color"], x=x, factor=factor)


def band(
    axes: Axes, rows: Sequence[Row], y: str, colour: str, *, x: str, factor: float = 1.0
) -> None:
    """Fill between the ends of the wider interval that the rows have, if any."""
    for ends in (("_lo_total", "_hi_total"), ("_lo", "_hi")):
        if all(row.get(f"{y}{end}") is not None for row in rows for end in ends):
            low, high = ([factor * row[f"{y}{end}"] for row in rows] for end in ends)
            at = [row[x] for row in rows]
            axes.fill_between(at, low, high, color=colour, alpha=0.22, linewidth=0, zorder=2)
            return


def devices_axis(axes: Axes, rows: Sequence[Row], *, label: bool = True) -> None:
    """A logarithmic axis of N with a tick at every N that was played."""
    n_devices = sorted({int(row["n_devices"]) for row in rows})
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(n_devices, [str(n) for n in n_devices])
    if label:
        axes.set_xlabel("number of devices $N$")


def claim(axes: Axes, low: float, high: float, text: str, *, vertical: bool = False) -> None:
    """A claim of the paper as a labelled band: never a datum."""
    fill: Callable[..., Any] = axes.axvspan if vertical else axes.axhspan
    fill(low, high, color="#d9d2e9", alpha=0.55, linewidth=0, zorder=0)
    at = {"x": high, "y": 0.98} if vertical else {"x": 0.99, "y": high}
    transform = axes.get_xaxis_transform() if vertical else axes.get_yaxis_transform()
    axes.text(
        **at,
        s=text,
        transform=transform,
        ha="right",
        va="top",
        fontsize=5.5,
        color="#5b4a8a",
        rotation=90 if vertical else 0,
        zorder=1,
    )


def legend_below(
    figure: Figure, axes: Axes, *, bottom: float, share: float, title: str = "", ncols: int = 2
) -> None:
    """The legend in the lowest `share` of the figure, its foot at `bottom` (figure fractions)."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0.0, bottom),
        ncols=ncols,
        title=title or None,
        title_fontsize=6.5,
        alignment="left",
        columnspacing=1.2,
    )
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))  # type: ignore[union-attr, call-arg]


def note_below(figure: Figure, note: str, width: int = 92) -> None:
    """Small print at the foot of the figure: what is measured, scaled, modelled."""
    text = textwrap.fill(note, width)
    figure.text(0.02, 0.006, text, fontsize=5, color=GREY, va="bottom", linespacing=1.25)
