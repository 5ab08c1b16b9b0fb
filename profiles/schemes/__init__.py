"""The schemes: systems of split computing, a file each, made by name.

    scheme = create("early_exit", "digits", threshold=0.9)
    scheme.network        what is cut, timed and traced
    scheme.gate           what ends on the device

A scheme is one choice for every slot (`scheme.py`); what it leaves is a trace table.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from profiles.models.recipe import cache_folder
from profiles.schemes import (
    early_exit,
    ladon,
    mtl_split,
    nasc,
    navisplit,
    own,
    salt,
    sc2,
    semanticnn,
)
from profiles.schemes.knobs import knobs
from profiles.schemes.scheme import Adapter, Branch, Chooser, Gate, Heads, Scheme
from profiles.schemes.shipped import SHIPPED
from profiles.schemes.transports import Transport
from profiles.tables.choices import unknown
from profiles.tables.own import is_own

_SCHEMES: dict[str, Callable[..., Scheme]] = {
    "early_exit": early_exit.scheme,
    "ladon": ladon.scheme,
    "mtl_split": mtl_split.scheme,
    "nasc": nasc.scheme,
    "navisplit": navisplit.scheme,
    "predefined_sparsity": early_exit.sparse,
    "salt": salt.scheme,
    "sc2": sc2.scheme,
    "semanticnn": semanticnn.scheme,
}
_TRAINING: dict[str, Callable[..., tuple[nn.Module, dict[str, Any]]]] = {
    "early_exit": early_exit.train,
    "ladon": ladon.train,
    "mtl_split": mtl_split.train,
    "nasc": nasc.train,
    "navisplit": navisplit.train,
    "predefined_sparsity": early_exit.train,
    "salt": salt.train,
    "sc2": sc2.train,
    "semanticnn": semanticnn.train,
}
_MODELS: dict[str, tuple[str, ...]] = {
    "early_exit": early_exit.MODELS,
    "ladon": ladon.MODELS,
    "mtl_split": mtl_split.MODELS,
    "nasc": nasc.MODELS,
    "navisplit": navisplit.MODELS,
    "predefined_sparsity": early_exit.MODELS,
    "salt": salt.MODELS,
    "sc2": sc2.MODELS,
    "semanticnn": semanticnn.MODELS,
}


_OF_A_USER = ("salt",)


def names() -> tuple[str, ...]:
    """All schemes that are shipped."""
    return tuple(_SCHEMES)


def models(name: str) -> tuple[str, ...]:
    """The data sets that a scheme is trained for.

    Raises:
        ValueError: an unknown scheme.
    """
    return _MODELS[_known(name)]


def comparable(model: str) -> tuple[str, ...]:
    """Those that are trained for these data and answer the model's own test samples; what SALT
    answers are a user's.
    """
    return tuple(one for one in names() if model in models(one) and one not in _OF_A_USER)


def create(name: str, model: str, **options: Any) -> Scheme:
    """The scheme of that name for the data of a model, with its shipped weights.

    FILE.py:FUNCTION is a scheme of the user (`own.py`).

    Raises:
        ValueError: an unknown scheme, one that is not trained for these data, a bad option.
    """
    if is_own(name):
        made: Scheme = own.make_own("scheme", name, Scheme, model, **options)
        return made
    maker = _SCHEMES[_known(name)]
    allowed = [one for one in inspect.signature(maker).parameters if one != "model"]
    for option in options:
        if option not in allowed:
            raise ValueError(
                f"scheme {name!r} has no option {option!r}; it takes: {', '.join(allowed)}"
            )
    return maker(model, **options)


def train(
    name: str, model: str, *, folder: Path | None = None, **options: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """The trained part of a scheme by its recipe, and its provenance; what lies in `folder` is
    read (outputs/cache unless given).

    Raises:
        ValueError: an unknown scheme, or one that is not trained for these data.
    """
    return _TRAINING[_known(name)](model, folder=folder or cache_folder(), **options)


def training_options(scheme: Scheme) -> dict[str, Any]:
    """Those of its options on which depends what is trained."""
    taken = inspect.signature(_TRAINING[_known(scheme.name)]).parameters
    return {name: value for name, value in scheme.options.items() if name in taken}


def _known(name: str) -> str:
    if name not in _SCHEMES:
        raise ValueError(unknown("scheme", name, _SCHEMES))
    return name


__all__ = [
    "SHIPPED",
    "Adapter",
    "Branch",
    "Chooser",
    "Gate",
    "Heads",
    "Scheme",
    "Transport",
    "comparable",
    "create",
    "knobs",
    "models",
    "names",
    "train",
    "training_options",
]
