"""The networks: one file per network or data set, made by name.

network = create("scenes")
inputs, labels = samples("scenes", "test", 600, seed=0)
scores = network.module(torch.from_numpy(inputs))
"""

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from profiles.models import (
    bytellama,
    densenet121,
    digits,
    efficientnet_b0,
    llama2,
    llama_folder,
    mobilenet_v2,
    own,
    residual,
    resnet34,
    scenes,
    swin_t,
    vgg16,
)
from profiles.models.data import imagenet, sources
from profiles.models.data.handwriting import SPLITS, Samples
from profiles.models.network import Network, content_digest
from profiles.models.weights import WeightsError
from profiles.tables.choices import unknown
from profiles.tables.own import is_own

T = TypeVar("T")

_NETWORKS: dict[str, Callable[..., Network]] = {
    "digits": digits.network,
    "scenes": scenes.network,
    "bytellama": bytellama.network,
    "resnet34": resnet34.network,
    "mobilenet_v2": mobilenet_v2.network,
    "efficientnet_b0": efficientnet_b0.network,
    "swin_t": swin_t.network,
    "vgg16": vgg16.network,
    "densenet121": densenet121.network,
    **{name: partial(llama2.network, name) for name in llama2.LAYERS},
}
_STAGES: dict[str, tuple[str, ...]] = {
    "digits": residual.STAGES,
    "scenes": residual.STAGES,
    "resnet34": resnet34.STAGES,
    "mobilenet_v2": tuple(mobilenet_v2.GROUPS),
    "efficientnet_b0": tuple(efficientnet_b0.GROUPS),
    "swin_t": swin_t.STAGES,
    "vgg16": vgg16.STAGES,
    "densenet121": densenet121.STAGES,
}
FOR_SCHEMES = {"scenes16": "scheme=mtl_split", "scenes16mixed": "scheme=navisplit"}
"""Data that no network by itself works on, and what does."""
_FROM_FOLDER: dict[str, Callable[..., Network]] = {"llama": llama_folder.network}
_PHOTOGRAPHIC = ("resnet34", "mobilenet_v2", "efficientnet_b0", "swin_t", "vgg16", "densenet121")
_SAMPLES: dict[str, Callable[..., Samples]] = {
    "digits": digits.samples,
    "scenes": scenes.samples,
    "bytellama": sources.windows,
    **dict.fromkeys(_PHOTOGRAPHIC, imagenet.samples),
}


def names() -> tuple[str, ...]:
    """All networks that `create` makes of what is shipped or drawn.

    Besides these "llama" is any Llama in a local folder: create("llama", weights=FOLDER).
    """
    return tuple(_NETWORKS)


def create(name: str, **options: Any) -> Network:
    """The network of that name, in eval mode, with its shipped weights where there are any.

    FILE.py:FUNCTION is a network of the user (`own.py`). Raises ValueError for an unknown name or
    option, WeightsError for damaged weights.
    """
    if is_own(name):
        _check(f"model {name}", own.load, options, skipped=1)
        return own.load(name).network
    maker = _lookup({**_NETWORKS, **_FROM_FOLDER}, "model", name)
    _check(f"model {name!r}", maker, options, skipped=0)
    return maker(**options)


def stages(name: str) -> tuple[str, ...] | None:
    """The stages of a network, before it is made; None where only the network knows them."""
    return _STAGES.get(name)


def samples(name: str, split: str, n: int, seed: int = 0, **options: Any) -> Samples:
    """`n` inputs and labels of the data that the network of that name works on.

    The splits `train`, `calibration` and `test` are disjoint; sample i of a split is the same
    for every `n > i`. Of a user's network there are at most `n`. Raises ValueError for an unknown
    network, split or option.
    """
    if is_own(name):
        _check(f"data of model {name}", own.load, options, skipped=1)
        return own.load(name).samples(split, n)
    maker = _lookup(_SAMPLES, "data of model", name)
    _check(f"data of model {name!r}", maker, options, skipped=3)
    return maker(split, n, seed, **options)


def _check(what: str, maker: Callable[..., Any], options: Iterable[str], *, skipped: int) -> None:
    """Raise ValueError for an option that is none of the parameters behind the first `skipped`."""
    allowed = list(inspect.signature(maker).parameters)[skipped:]
    for option in options:
        if option not in allowed:
            known = ", ".join(allowed) or "none"
            raise ValueError(f"{what} has no option {option!r}; it takes: {known}")


def _lookup(registry: dict[str, Callable[..., T]], kind: str, name: str) -> Callable[..., T]:
    if name in FOR_SCHEMES:
        raise ValueError(f"model {name} is data for schemes; {FOR_SCHEMES[name]} plays them")
    if name not in registry:
        raise ValueError(unknown(kind, name, registry))
    return registry[name]


__all__ = [
    "SPLITS",
    "Network",
    "Samples",
    "WeightsError",
    "content_digest",
    "create",
    "names",
    "samples",
    "stages",
]
