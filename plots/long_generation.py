"""Error growth and traffic over the steps of a generation."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from plots.lines import Row, legend_below, line, log_axis, names
from plots.methods import looks, shorten
from plots.style import COLUMN_IN, apply


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return three panels over the step: KL, share of generations still equal, bits per token.

    Args:
        rows: `method`, `step`, `logit_kl`, `still_equal`, `uplink_bits_per_token` with intervals.
        title: one line above the axes.
    """
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 5.6))
        drawn = figure.subplots(3, 1, sharex=True)
        columns = ("logit_kl", "still_equal", "uplink_bits_per_token")
        for axes, column in zip(drawn, columns, strict=True):
            for method, look in looks(names(rows)).items():
                chosen = [row for row in rows if row["method"] == method]
                if column == "logit_kl":
                    chosen = [row for row in chosen if row[column] > 0]
                banded = column != "still_equal"  # few generations: bands would hide each other
                line(axes, chosen, column, look, x="step", label=shorten(method), banded=banded)
        drawn[0].set(yscale="log", ylabel="KL per token (nats)")
        drawn[1].set(ylabel="generations\nstill equal", ylim=(-0.03, 1.03))
        drawn[1].yaxis.set_major_formatter(PercentFormatter(1.0))
        drawn[2].set(yscale="log", ylabel="bits per token", xlabel="step of the generation")
        log_axis(drawn[2].yaxis)
        drawn[0].set_title(title, loc="left")
        legend_below(figure, drawn[2], bottom=0.0, share=0.11, ncols=4)
        return figure
