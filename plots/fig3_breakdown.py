"""Stacked bars: where a request's time goes, by method and cut (the paper's Fig. 3 left)."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from plots.lines import Row, whiskers
from plots.methods import shorten
from plots.style import COLOURS, COLUMN_IN, GREY, INK, apply

_BLUE, _ORANGE, _GREEN, _PINK, _AMBER, _SKY = COLOURS
_PARTS = (
    ("head_s", "device layers", _BLUE, ""),
    ("encode_s", "encode", _SKY, "////"),
    ("air_s", "on the air", _AMBER, ""),
    ("network_s", "network", GREY, ""),
    ("decode_s", "decode", _PINK, "////"),
    ("tail_s", "server layers", _GREEN, ""),
)


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return one horizontal bar per row, grouped by cut; the whisker is the latency's interval.

    Args:
        rows: `cut`, `method`, `latency_mean_s` with its interval and the seconds of every part.
        title: one line above the axes.
    """
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 0.9 + 0.155 * (len(rows) + 3)))
        axes = figure.subplots()
        places, place, before = [], 0.0, None
        for row in rows:
            place += 1.0 if row["cut"] == before or before is None else 1.6
            places.append(place)
            before = row["cut"]
        left = [0.0] * len(rows)
        for column, label, colour, hatch in _PARTS:
            width = [1e3 * row[column] for row in rows]
            axes.barh(places, width, left=left, height=0.8, color=colour, label=label,
                      hatch=hatch, edgecolor="white", linewidth=0.2)  # fmt: skip
            left = [a + b for a, b in zip(left, width, strict=True)]
        axes.errorbar(
            [1e3 * row["latency_mean_s"] for row in rows], places,
            xerr=whiskers(rows, "latency_mean_s", 1e3), linestyle="none", color=INK,
            elinewidth=0.8, capsize=1.5, capthick=0.6,
        )  # fmt: skip
        axes.set_yticks(places, [_name(row) for row in rows])
        axes.tick_params(axis="y", labelsize=6)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="ms per request (whisker: 95 % interval)")
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        figure.legend(ncols=3, loc="outside lower left", fontsize=6, columnspacing=1.0)
        return figure


def _name(row: Row) -> str:
    if row["cut"] in ("input", "output"):
        return str(row["method"])
    return f"{row['cut']}: {shorten(row['method'])}"
