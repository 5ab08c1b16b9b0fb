"""Codec latency against feature size with the fitted laws (the paper's Fig. 3 right)."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from plots.lines import Row, legend_below, log_axis, names, whiskers
from plots.methods import looks, shorten
from plots.style import COLUMN_IN, apply


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return encoding above decoding: points with their range over the stages, laws as lines.

    Args:
        rows: `method`, `elements`, `encode_s` and `decode_s` with `_lo` and `_hi`,
            `encode_law_s`, `decode_law_s`.
        title: one line above the axes.
    """
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 4.6))
        drawn = figure.subplots(2, 1, sharex=True, sharey=True)
        for axes, direction in zip(drawn, ("encode", "decode"), strict=True):
            for method, look in looks(names(rows)).items():
                chosen = sorted(
                    (row for row in rows if row["method"] == method), key=lambda r: r["elements"]
                )
                at = [row["elements"] for row in chosen]
                y = f"{direction}_s"
                axes.errorbar(
                    at, [1e3 * row[y] for row in chosen], yerr=whiskers(chosen, y, 1e3),
                    label=shorten(method), elinewidth=0.6, **{**look, "linestyle": "none"},
                )  # fmt: skip
                law = [1e3 * row[f"{direction}_law_s"] for row in chosen]
                line = {"color": look["color"], "linestyle": look["linestyle"]}
                axes.plot(at, law, linewidth=0.8, **line)
            axes.set(xscale="log", yscale="log", ylabel=f"{direction} (ms)")
            log_axis(axes.yaxis, (1,))
        drawn[1].set_xlabel("elements of the feature")
        drawn[0].set_title(f"{title}; line: fitted law", loc="left")
        legend_below(figure, drawn[0], bottom=0.0, share=0.13, ncols=4)
        return figure
