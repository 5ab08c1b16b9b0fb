"""One-line refusals for specs: what, where, got, allowed."""

import math
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import field
from functools import partial
from numbers import Integral, Real
from typing import Any

from profiles.tables.choices import nearest


def about(help: str, unit: str = "") -> dict[str, str]:
    """Metadata of a dataclass field: its help text and unit, which the command line shows."""
    return {"help": help, "unit": unit}


def option(default: Any, help: str, unit: str = "") -> Any:
    """A dataclass field with its help text and unit; a list, a dict and what a class or function
    makes are made anew for every instance.
    """
    if isinstance(default, list | dict):
        return field(default_factory=partial(deepcopy, default), metadata=about(help, unit))
    if callable(default):
        return field(default_factory=default, metadata=about(help, unit))
    return field(default=default, metadata=about(help, unit))


def at_least(where: str, value: float | None, low: float) -> None:
    """Refuse a number below `low`, an infinite one or NaN; None means "not set"."""
    _number(where, value)
    if value is not None and not (low <= value < math.inf):
        raise ValueError(f"{where} must be >= {low:g}, got {value}")


def above(where: str, value: float | None, low: float) -> None:
    """Refuse a number that is not finite and above `low`; None means "not set"."""
    _number(where, value)
    if value is not None and not (low < value < math.inf):
        raise ValueError(f"{where} must be > {low:g}, got {value}")


def within(where: str, value: float | None, low: float, high: float) -> None:
    """Refuse a number outside [low, high]; None means "not set"."""
    _number(where, value)
    if value is not None and not (low <= value <= high):
        raise ValueError(f"{where} must be within [{low:g}, {high:g}], got {value}")


def _number(where: str, value: Any) -> None:
    """Refuse what is no number; None means "not set"."""
    if value is not None and not isinstance(value, Real):
        raise ValueError(f"{where} must be a number, got {value!r}")


def whole(where: str, value: Any) -> None:
    """Refuse a number that is not whole, or not written as one."""
    if not isinstance(value, Integral):
        raise ValueError(f"{where} must be a whole number, got {value!r}")


def one_of(where: str, value: str, choices: Iterable[str]) -> None:
    """Refuse an unknown name and say which ones exist, the nearest first."""
    known = sorted(choices)
    if value in known:
        return
    near = nearest(value, known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"{where} must be one of {', '.join(known)}, got {value!r}{hint}")
