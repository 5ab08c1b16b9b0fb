"""SALT (arXiv 2506.07355): head and tail are closed, the device trains an adapter between them.

    image -[ head, frozen ]- z -[ adapter ]- z' ~~ link ~~ z' -[ tail, frozen ]- answer

The frozen networks are those of `model=digits` and `model=scenes` with their shipped weights. One
adapter serves four goals, by what it is trained under: a user whose images are `rotated` or
`coloured` (`users.py`), `loss` of segments of the feature on the way (`erasure.py`), `noise` that
the device adds for privacy. z' has the shape of z, so that no payload of a fixed length changes.
With a `threshold` the closed network is that of `early_exit`, the adapter before its exit head.
Written from the mechanism; no code of the authors was found.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from profiles.models.network import Network, content_digest
from profiles.models.weights import load_weights
from profiles.schemes import closed as networks
from profiles.schemes import early_exit, semanticnn
from profiles.schemes.adapters import (
    NONE,
    RESIDUAL,
    AtCut,
    FeatureAdapter,
    Learning,
    PrivateNoise,
    TrainedAdapter,
)
from profiles.schemes.personal import (
    EARLY_EXIT,
    GOALS,
    MODELS,
    NOISE,
    PLAIN,
    ROTATED,
    SEMANTICNN,
    Setup,
    setup,
)
from profiles.schemes.scheme import Gate, Scheme
from profiles.schemes.shipped import SHIPPED

__all__ = ["MODELS", "scheme", "train"]


def train(
    model: str,
    *,
    folder: Path,
    goal: str = ROTATED,
    form: str = RESIDUAL,
    closed: str | None = None,
    threshold: float | None = None,
    fold: int = 0,
) -> tuple[nn.Module, dict[str, Any]]:
    """One adapter by its recipe, or found in `folder`, and its provenance.

    About 3 CPU s for `digits` and `scenes16`, 20 for `scenes`; 5, 12 and 90 before SemanticNN.
    """
    wanted, base = RESIDUAL if form == NONE else form, _base(closed, threshold)
    return setup(model, goal, wanted, base=base, fold=fold).train(folder)


def scheme(
    model: str = "scenes",
    *,
    goal: str = ROTATED,
    form: str = RESIDUAL,
    closed: str | None = None,
    threshold: float | None = None,
) -> Scheme:
    """The scheme with its shipped weights.

    Args:
        model: the data set.
        goal: what the adapter is for: rotated, coloured, loss, noise.
        form: residual, insertion; none: the closed system as it is.
        closed: whose network is closed: `semanticnn`, the adapter in front of its encoder; None:
            that of the data set, or of `early_exit` where there is a threshold.
        threshold: the closed network is that of `early_exit`, which answers on the device where
            it is surer than that; None: one without exits.

    Raises:
        ValueError: another data set, goal, form or closed network, or one for which no adapter is
            shipped.
    """
    chosen = setup(model, goal, form, base=_base(closed, threshold))
    loaded = replace(chosen, form=RESIDUAL) if form == NONE else chosen
    adapter = loaded.build()
    provenance = _load(loaded, adapter)
    parts: list[nn.Module] = [] if form == NONE else [adapter]
    if form == NONE:
        provenance = {**provenance, "accuracy": provenance["accuracy_frozen"]}
    if goal == NOISE:
        parts.append(PrivateNoise(provenance["noise_deviation"]))
    base = _closed_scheme(chosen, threshold)
    whole = networks.network(model) if base is None else base.network
    module, after = whole.module.eval(), chosen.place.after
    setattr(module, after, AtCut(module.get_submodule(after), *parts).eval())
    return Scheme(
        name="salt",
        model=model,
        network=_named(whole, f"salt-{model}"),
        cut=after if base is None else base.cut,
        first_cut=after if base is None else base.first_cut,
        samples=chosen.samples,
        gate=None if base is None or base.gate is None else _behind(base.gate),
        adapter=None if form == NONE else _adapter(chosen, adapter, parts, provenance),
        brings={} if base is None else base.brings,
        options={"goal": goal, "form": form, "closed": closed, "threshold": threshold},
        provenance=provenance,
    )


def _base(closed: str | None, threshold: float | None) -> str:
    """Whose network is closed (ValueError: a threshold for one without exits)."""
    if closed is None:
        return PLAIN if threshold is None else EARLY_EXIT
    if (closed == EARLY_EXIT) != (threshold is not None):
        raise ValueError(
            f"scheme.threshold belongs to scheme.closed={EARLY_EXIT}, got scheme.closed={closed}"
            f" and scheme.threshold={threshold}"
        )
    return closed


def _closed_scheme(chosen: Setup, threshold: float | None) -> Scheme | None:
    """The scheme whose network is closed; None: the network of the data set."""
    if chosen.base == SEMANTICNN:
        return semanticnn.scheme(chosen.data.name)
    if chosen.base == EARLY_EXIT:
        assert threshold is not None
        return early_exit.scheme(chosen.data.name, threshold=threshold)
    return None


def _load(chosen: Setup, adapter: FeatureAdapter) -> dict[str, Any]:
    """Fill an adapter with its shipped weights; their provenance."""
    path = _weights(chosen)
    if path.is_file():
        return load_weights(adapter, path)
    there = [goal for goal in GOALS if _weights(replace(chosen, goal=goal)).is_file()]
    behind = "" if chosen.base == PLAIN else f", scheme.closed={chosen.base}"
    raise ValueError(
        f"scheme.form={chosen.form}{behind} is shipped for scheme.goal={' or '.join(there)} on"
        f" {chosen.data.name}, got {chosen.goal}; splitfleet train has its recipe"
    )


def _weights(chosen: Setup) -> Path:
    return SHIPPED / f"{chosen.recipe.name}.npz"


def _named(whole: Network, name: str) -> Network:
    """A network whose module has been changed, under another name."""
    return replace(whole, name=name, digest=content_digest(whole.module))


def _behind(gate: Any) -> Gate:
    """A gate whose network has got an adapter before its exit head."""
    return replace(gate, early=_named(gate.early, "salt-early"))  # type: ignore[no-any-return]


def _adapter(
    chosen: Setup, adapter: FeatureAdapter, parts: list[nn.Module], about: dict[str, Any]
) -> TrainedAdapter:
    """The trained adapter, and the system before it had learned anything."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(chosen.recipe.seed)
        start = nn.Sequential(chosen.build(), *parts[1:]).eval()
    part, known = chosen.closed, about["learning"]
    return TrainedAdapter(
        after=chosen.place.after,
        module=adapter,
        before=lambda images: part.tail(part.send(start(part.head(images)))),
        learning=Learning(
            batch=known["batch"], rounds=tuple(known["rounds"]), accuracy=tuple(known["accuracy"]),
            server_ratio=known["server_ratio"], device_ratio=known["device_ratio"],
        ),
    )  # fmt: skip
