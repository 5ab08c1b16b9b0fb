"""Small multiples: the error at equal rate while one knob moves and the others follow."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from plots.lines import Row, log_axis, names
from plots.style import COLUMN_IN, apply, shades

_WIDE = 4
"""Values that span this factor stand on a logarithmic axis."""


def draw(rows: Sequence[Row], *, title: str = "slicer at equal total rate") -> Figure:
    """Return one panel per knob, two beside each other, errors on one scale.

    Args:
        rows: `panel`, `method` (a line of the panel), its `features` and `line` (what the panel
            compares besides them), `value` of the knob and `relative_l2`.
        title: one line above the panels.
    """
    panels = names(rows, "panel")
    height = ceil(len(panels) / 2)
    colours = shades(names(rows, "features"))
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 0.85 + 1.3 * height))
        drawn = figure.subplots(height, 2, sharey=True, squeeze=False)
        for axes, panel in zip(drawn.flat, panels, strict=False):
            _panel(axes, [row for row in rows if row["panel"] == panel], colours)
            axes.set_title(panel, loc="left", fontsize=7)
        for axes in list(drawn.flat)[len(panels) :]:
            axes.set_visible(False)
        handles: dict[str, Any] = {}
        for axes in drawn.flat:
            handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3)
        drawn[0, 0].set_yscale("log")
        log_axis(drawn[0, 0].yaxis)
        figure.supylabel("relative $L_2$ error", fontsize=7.5)
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        return figure


def _panel(axes: Axes, rows: Sequence[Row], colours: Mapping[str, str]) -> None:
    values = list(dict.fromkeys(row["value"] for row in rows))
    numeric = all(isinstance(value, int | float) for value in values)
    variants = names([{"line": row["line"]} for row in rows], "line")
    for method in names(rows):
        chosen = [row for row in rows if row["method"] == method]
        which = variants.index(str(chosen[0]["line"]))
        colour = colours[str(chosen[0]["features"])]
        axes.plot(
            [row["value"] if numeric else values.index(row["value"]) for row in chosen],
            [row["relative_l2"] for row in chosen],
            color=colour, marker="os^v"[which % 4], ls=("-", "--", ":")[which % 3], linewidth=0.9,
            mfc=colour if which == 0 else "white",
            label=", ".join(str(chosen[0][key]) for key in ("features", "line") if chosen[0][key]),
        )  # fmt: skip
    if not numeric:
        axes.set_xticks(range(len(values)), [str(value) for value in values], fontsize=6)
        axes.set_xlim(-0.4, len(values) - 0.6)
    elif min(values) > 0 and max(values) >= _WIDE * min(values):
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(values, [f"{value:g}" for value in values], fontsize=6)
