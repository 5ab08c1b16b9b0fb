"""Small multiples: relative error against rate while one knob of a chain moves."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import log_axis, names, whiskers
from plots.style import COLUMN_IN, applied, shades

__all__ = ["draw"]

Row = Mapping[str, Any]


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return one panel per knob, two beside each other, all with the same axes.

    Args:
        rows: `panel`, `method` ("PANEL: LINE"), `value` of the knob, `bits_per_element` and
            `relative_l2` with intervals, `accuracy_drop` where there are answers.
        title: one line above the panels.
    """
    panels = names(rows, "panel")
    height = ceil(len(panels) / 2)
    with applied():
        figure = Figure(figsize=(COLUMN_IN, 0.4 + 1.55 * height))
        drawn = figure.subplots(height, 2, sharex=True, sharey=True, squeeze=False)
        for axes, panel in zip(drawn.flat, panels, strict=False):
            _panel(axes, [row for row in rows if row["panel"] == panel])
            axes.set_title(panel, loc="left", fontsize=7)
        for axes in list(drawn.flat)[len(panels) :]:
            axes.set_visible(False)
        log_axis(drawn[0, 0].yaxis)
        figure.supxlabel("bits per element, everything counted", fontsize=7.5)
        figure.supylabel("relative $L_2$ error", fontsize=7.5)
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        return figure


def _panel(axes: Axes, rows: Sequence[Row]) -> None:
    lines = names(rows)
    colours = shades(lines)
    for method, marker in zip(lines, "os^vD<", strict=False):
        chosen = [row for row in rows if row["method"] == method]
        axes.errorbar(
            [row["bits_per_element"] for row in chosen],
            [row["relative_l2"] for row in chosen],
            yerr=whiskers(chosen, "relative_l2"), xerr=whiskers(chosen, "bits_per_element"),
            color=colours[method], marker=marker, linewidth=0.9, elinewidth=0.5,
            label=method.split(": ")[-1],
        )  # fmt: skip
        if len(lines) == 1:
            for at, text in _places(chosen).items():
                axes.annotate(text, at, (3, 2), textcoords="offset points", fontsize=5)
    axes.set(yscale="log")
    if len(lines) > 1:
        axes.legend(fontsize=5.5, handlelength=1.4)


def _places(rows: Sequence[Row]) -> dict[tuple[float, float], str]:
    """Labels by place; values that change nothing share one."""
    found: dict[tuple[float, float], str] = {}
    for row in rows:
        at = (round(row["bits_per_element"], 2), float(f"{row['relative_l2']:.2g}"))
        found[at] = f"{found[at]}, {row['value']}" if at in found else str(row["value"])
    return found
