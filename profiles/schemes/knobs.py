"""Knobs: the options of a scheme that trade bytes and seconds for right answers, and their values.

What asks another question (a task, a user), and what is held against a scheme, is no knob.
"""

from collections.abc import Callable, Mapping
from typing import Any

from profiles.schemes import ladon, navisplit, salt, sc2, semanticnn
from profiles.schemes.branch_training import AUTO

Values = dict[str, tuple[Any, ...]]

THRESHOLDS = (0.5, 0.7, 0.9, 0.97, 0.999, 1.0)
"""Of a gate that ends requests on the device: any number in 0..1 would do."""


def _branches(model: str, options: Mapping[str, Any]) -> Values:
    chosen = navisplit.training(model, options.get("task", AUTO))
    return {"branch": (*chosen.widths, AUTO)}


def _rates(model: str, options: Mapping[str, Any]) -> Values:
    made = sc2.method_of(options.get("method", sc2.USUAL))
    return {made.knob: made.values}


def _rims(model: str, options: Mapping[str, Any]) -> Values:
    rims = tuple(sorted({kind.rim for kind in semanticnn.KINDS.get(model, {}).values()}))
    return {"rim": rims} if len(rims) > 1 else {}


def _exits(model: str, options: Mapping[str, Any]) -> Values:
    """Those of SALT, where it has a gate at all."""
    gated = options.get("threshold") is not None and model in salt.MODELS
    return {"threshold": THRESHOLDS} if gated else {}


_KNOBS: Mapping[str, Callable[[str, Mapping[str, Any]], Values]] = {
    "early_exit": lambda model, options: {"threshold": THRESHOLDS},
    "ladon": lambda model, options: {"beta": ladon.BETAS},
    "navisplit": _branches,
    "salt": _exits,
    "sc2": _rates,
    "semanticnn": _rims,
}


def knobs(name: str, model: str, options: Mapping[str, Any]) -> Values:
    """The values of each knob of a scheme as it is chosen; none of one of the user's.

    Raises:
        ValueError: a data set or an option that the scheme does not know.
    """
    return _KNOBS[name](model, options) if name in _KNOBS else {}
