"""What the split alone, the codec alone and both save, as factors against the full server."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import Row, claim, legend_below, log_axis, names, whiskers
from plots.methods import looks
from plots.style import COLUMN_IN, INK, apply

_CLAIMS = {"server_saved": (1.0, 4.4), "uplink_saved": (1.0, 10.0)}


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return three panels over the cut: server time, uplink bytes, throughput of a large fleet.

    Args:
        rows: `method`, `cut`, `n_devices` and the factors `server_saved`, `uplink_saved`,
            `throughput_gained`, each with `_lo_total` and `_hi_total`.
        title: one line above the axes.
    """
    light, heavy = (choose(row["n_devices"] for row in rows) for choose in (min, max))
    panels = (
        ("server_saved", light, "server time\nsaved (x)"),
        ("uplink_saved", light, "uplink bytes\nsaved (x)"),
        ("throughput_gained", heavy, f"throughput gained\nat N = {heavy} (x)"),
    )
    cuts = [cut for cut in names(rows, "cut") if cut != "input"]
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 5.8))
        drawn = figure.subplots(3, 1, sharex=True)
        for axes, (column, n, label) in zip(drawn, panels, strict=True):
            _panel(axes, [row for row in rows if row["n_devices"] == n], cuts, column)
            axes.set_ylabel(label)
            if column in _CLAIMS:
                low, high = _CLAIMS[column]
                claim(axes, low, high, f"claimed: up to {high:g}x")
        drawn[0].set_title(f"{title}: against the full server, raw input", loc="left")
        drawn[-1].set_xticks(range(len(cuts)), cuts)
        drawn[-1].set_xlabel("cut: last stage on the device")
        legend_below(figure, drawn[0], bottom=0.0, share=0.15, ncols=3,
                     title="lines without split are the same at every cut")  # fmt: skip
        return figure


def _panel(axes: Axes, rows: Sequence[Row], cuts: Sequence[str], column: str) -> None:
    for method, look in looks(names(rows)).items():
        chosen = [row for row in rows if row["method"] == method and row[column] is not None]
        if not chosen:  # nothing was answered within the span
            continue
        if method.startswith("full server"):
            axes.axhline(chosen[0][column], label=method, color=look["color"],
                         linestyle=look["linestyle"], linewidth=1.0)  # fmt: skip
            continue
        axes.errorbar(
            [cuts.index(row["cut"]) for row in chosen],
            [row[column] for row in chosen],
            yerr=whiskers(chosen, column),
            label=method, elinewidth=0.7, **look,
        )  # fmt: skip
    axes.axhline(1.0, color=INK, linewidth=0.5)
    axes.set_yscale("log")
    log_axis(axes.yaxis)
