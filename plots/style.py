"""The look of every figure: column width, fonts that survive in a PDF, colours for all eyes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

COLUMN_IN = 3.5
"""Width of one column of a two-column paper, inches."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette (2008), safe for the common colour-vision deficiencies; no yellow."""

INK, GREY = "#222222", "#8a8a8a"

_RC: dict[Any, Any] = {
    "backend": "agg",
    "figure.dpi": 200,
    "savefig.dpi": 300,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 7.5,
    "axes.labelsize": 7.5,
    "axes.titlesize": 8,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.2,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "pdf.fonttype": 42,  # TrueType: text stays text, submission systems refuse Type 3
    "ps.fonttype": 42,
    "figure.constrained_layout.use": True,
}


@contextmanager
def apply() -> Iterator[None]:
    """Draw with splitfleet's look inside the block; leaves the caller's settings alone."""
    with mpl.rc_context(_RC):
        yield


def shades(names: Sequence[str]) -> dict[str, str]:
    """Return a colour per name, in order.

    Raises:
        ValueError: if there are more names than distinguishable colours.
    """
    if len(names) > len(COLOURS):
        raise ValueError(f"a figure tells at most {len(COLOURS)} names apart, got {len(names)}")
    return dict(zip(names, COLOURS, strict=False))
