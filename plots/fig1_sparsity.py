"""Concentration of features: energy that top-K keeps, and the tail of the magnitudes."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from plots.lines import Row, line, log_axis, names
from plots.style import COLUMN_IN, apply, shades


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return two panels with a line per cut.

    Args:
        rows: `cut`, `panel` ("kept" or "magnitude"), `at`, `value` with its interval.
        title: one line above the axes.
    """
    cuts = names(rows, "cut")
    colours = shades(cuts)
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 4.4))
        above, below = figure.subplots(2, 1)
        for cut, marker in zip(cuts, "os^DvP", strict=False):
            look = {"color": colours[cut], "marker": marker}
            for axes, panel in ((above, "kept"), (below, "magnitude")):
                chosen = [r for r in rows if (r["cut"], r["panel"]) == (cut, panel)]
                chosen = [r for r in chosen if panel == "kept" or r["value"] > 0]
                line(axes, chosen, "value", look, x="at", label=cut)
        above.set(xscale="log", xlabel="share of the elements kept (largest first)",
                  ylabel="share of the energy", ylim=(0, 1.03))  # fmt: skip
        above.set_title(f"features of {title}; band: 95 % interval", loc="left")
        above.xaxis.set_major_formatter(PercentFormatter(1.0))
        above.yaxis.set_major_formatter(PercentFormatter(1.0))
        above.legend(ncols=2, loc="lower right")
        below.set(yscale="log", xlabel="magnitude (root mean squares)",
                  ylabel="share of elements beyond")  # fmt: skip
        log_axis(below.yaxis, (1,))
        return figure
