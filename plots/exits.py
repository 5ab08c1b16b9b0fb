"""Server load, accuracy and N* against the exit threshold, a line for each data set."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import Row, is_known, legend_below, log_axis, names, whiskers
from plots.style import COLUMN_IN, GREY, apply, shades

_MARKERS = ("o", "s", "^", "D", "v", "P")
_ASIDE = 0.12


def draw(rows: Sequence[Row], *, title: str = "", limit: str = "") -> Figure:
    """Return three panels over the thresholds, evenly spaced, the last of them without exits.

    Args:
        rows: `model`, `threshold`, `sent_share`; `server_share`, `table_accuracy` and `n_star` with
            their intervals; `n_bound`, which N* cannot exceed.
        title: codec and link, above the first panel.
        limit: what N* keeps, above the last one.
    """
    thresholds = sorted({float(row["threshold"]) for row in rows})
    data = names(rows, "model")
    colours = shades(data)
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 5.4))
        load, right, fits = figure.subplots(3, 1, sharex=True)
        for number, model in enumerate(data):
            here = sorted((r for r in rows if r["model"] == model), key=lambda r: r["threshold"])
            look: dict[str, Any] = {
                "color": colours[model],
                "marker": _MARKERS[number],
                "label": model,
            }
            known = [row for row in here if is_known(row.get("sent_share"))]
            load.plot(_places(known, thresholds), [100 * row["sent_share"] for row in known],
                      color=GREY, linestyle=(0, (2, 1)), linewidth=0.8, zorder=2)  # fmt: skip
            _line(load, here, thresholds, "server_share", 100.0, look)
            aside = _ASIDE * (number - (len(data) - 1) / 2)  # intervals beside each other
            _line(right, here, thresholds, "table_accuracy", 100.0, look, aside)
            _line(fits, here, thresholds, "n_star", 1.0, look)
            bounded = [row for row in here if is_known(row.get("n_bound"))]
            fits.plot(_places(bounded, thresholds), [row["n_bound"] for row in bounded],
                      color=colours[model], linestyle=(0, (1, 1)), linewidth=0.8)  # fmt: skip
        load.plot([], [], color=GREY, linestyle=(0, (2, 1)), linewidth=0.8, label="1 - exit share")
        load.plot([], [], color=GREY, linestyle=(0, (1, 1)), linewidth=0.8,
                  label="bound by demands")  # fmt: skip
        load.set(ylabel="server load\n(% of no exits)", ylim=(-3, 105))
        load.set_title(f"trained here; {title}", loc="left", fontsize=7)
        right.set(ylabel="right answers (%)")
        fits.set(ylabel="devices $N^*$", yscale="log", xlabel="exit threshold (1: never)")
        log_axis(fits.yaxis)
        fits.set_title(limit, loc="left", fontsize=7)
        fits.set_xticks(range(len(thresholds)), [f"{each:g}" for each in thresholds])
        legend_below(figure, load, bottom=0.0, share=0.08, ncols=2)
        return figure


def _line(
    axes: Axes, rows: Sequence[Row], thresholds: Sequence[float], y: str, factor: float,
    look: Mapping[str, Any], aside: float = 0.0,
) -> None:  # fmt: skip
    known = [row for row in rows if is_known(row.get(y))]
    axes.errorbar(
        [place + aside for place in _places(known, thresholds)], [factor * row[y] for row in known],
        yerr=whiskers(known, y, factor), elinewidth=0.7, capsize=1.5, zorder=3, **look,
    )  # fmt: skip


def _places(rows: Sequence[Row], thresholds: Sequence[float]) -> list[int]:
    return [thresholds.index(float(row["threshold"])) for row in rows]
