"""How methods look in every figure: the same colour, marker and line for the same name."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from plots.style import COLOURS, GREY, INK

_BLUE, _ORANGE, _GREEN, _PINK, _AMBER, _SKY = COLOURS
_DOTTED, _DASHED = (0, (1, 1)), (0, (4, 1.5))

_FIXED: dict[str, dict[str, Any]] = {
    "full server, raw": {"color": INK, "marker": "s", "linestyle": _DOTTED},
    "full server, JPEG": {"color": INK, "marker": "s", "linestyle": "-"},
    "full device": {"color": GREY, "marker": "D", "linestyle": "-"},
    "split, no codec": {"color": _SKY, "marker": "o", "linestyle": _DOTTED},
    "split, int8": {"color": _AMBER, "marker": "v", "linestyle": _DASHED},
    "split, int4": {"color": _AMBER, "marker": "^", "linestyle": "-"},
    "split, topk": {"color": _PINK, "marker": "P", "linestyle": "-"},
    "split, aiq": {"color": _GREEN, "marker": "<", "linestyle": "-"},
    "split, tabq": {"color": _GREEN, "marker": ">", "linestyle": _DASHED},
    "split, slicer": {"color": _ORANGE, "marker": "o", "linestyle": "-"},
    "split, ecsq": {"color": _BLUE, "marker": "o", "linestyle": "-"},
}


def looks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return line properties per method: fixed for the known ones, the next free for others."""
    free = iter(product(("X", "d", "*"), (_PINK, _SKY, _GREEN, _ORANGE, _BLUE, _AMBER)))
    by_name = {}
    for name in names:
        look = _FIXED.get(name)
        if look is None:
            marker, colour = next(free)
            look = {"color": colour, "marker": marker, "linestyle": _DASHED}
        raw = look["linestyle"] == _DOTTED
        by_name[name] = {
            "linewidth": 0.9 if raw else 1.2,
            "markerfacecolor": "white" if raw else look["color"],
            **look,
        }
    return by_name


def shorten(name: str) -> str:
    """A method's name without the word that all of its kind share."""
    return name.removeprefix("split, ")
