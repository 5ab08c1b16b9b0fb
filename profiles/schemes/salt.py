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

from profiles.models.network import content_digest
from profiles.models.weights import load_weights
from profiles.schemes import early_exit
from profiles.schemes.adapters import (
    NONE,
    RESIDUAL,
    AtCut,
    FeatureAdapter,
    Learning,
    PrivateNoise,
    TrainedAdapter,
)
from profiles.schemes.personal import MODELS, NOISE, ROTATED, Setup, setup
from profiles.schemes.scheme import Gate, Scheme
from profiles.schemes.shipped import SHIPPED

__all__ = ["MODELS", "scheme", "train"]


def train(
    model: str,
    *,
    folder: Path,
    goal: str = ROTATED,
    form: str = RESIDUAL,
    threshold: float | None = None,
    fold: int = 0,
) -> tuple[nn.Module, dict[str, Any]]:
    """One adapter by its recipe, or found in `folder`, and its provenance.

    About 2 CPU s for `digits`, 20 for `scenes`.
    """
    wanted = RESIDUAL if form == NONE else form
    return setup(model, goal, wanted, exits=threshold is not None, fold=fold).train(folder)


def scheme(
    model: str = "scenes",
    *,
    goal: str = ROTATED,
    form: str = RESIDUAL,
    threshold: float | None = None,
) -> Scheme:
    """The scheme with its shipped weights.

    Args:
        model: the data set.
        goal: what the adapter is for: rotated, coloured, loss, noise.
        form: residual, insertion; none: the closed system as it is.
        threshold: the closed network is that of `early_exit`, which answers on the device where
            it is surer than that; None: one without exits.

    Raises:
        ValueError: another data set, goal or form, or a form that is not shipped for this goal.
    """
    chosen = setup(model, goal, form, exits=threshold is not None)
    loaded = replace(chosen, form=RESIDUAL) if form == NONE else chosen
    adapter = loaded.build()
    provenance = _load(loaded, adapter)
    parts: list[nn.Module] = [] if form == NONE else [adapter]
    if form == NONE:
        provenance = {**provenance, "accuracy": provenance["accuracy_frozen"]}
    if goal == NOISE:
        parts.append(PrivateNoise(provenance["noise_deviation"]))
    base = early_exit.scheme(model, threshold=threshold) if threshold is not None else None
    whole = chosen.frozen() if base is None else base.network
    module, after = whole.module.eval(), chosen.after
    setattr(module, after, AtCut(getattr(module, after), *parts).eval())
    return Scheme(
        name="salt",
        model=model,
        network=replace(whole, name=f"salt-{model}", digest=content_digest(module)),
        cut=after,
        first_cut=after,
        samples=chosen.samples,
        gate=None if base is None else _behind(base.gate),
        adapter=None if form == NONE else _adapter(chosen, adapter, parts, provenance),
        options={"goal": goal, "form": form, "threshold": threshold},
        provenance=provenance,
    )


def _load(chosen: Setup, adapter: FeatureAdapter) -> dict[str, Any]:
    """Fill an adapter with its shipped weights; their provenance."""
    path = SHIPPED / f"{chosen.recipe.name}.npz"
    if path.is_file():
        return load_weights(adapter, path)
    exits = ", scheme.threshold" if chosen.exits else ""
    raise ValueError(
        f"scheme.form={chosen.form}{exits} is shipped for scheme.goal={ROTATED} alone, got"
        f" {chosen.goal}; splitfleet train has its recipe"
    )


def _behind(gate: Any) -> Gate:
    """A gate whose network has got an adapter before its exit head."""
    early = replace(gate.early, name="salt-early", digest=content_digest(gate.early.module))
    return replace(gate, early=early)  # type: ignore[no-any-return]


def _adapter(
    chosen: Setup, adapter: FeatureAdapter, parts: list[nn.Module], about: dict[str, Any]
) -> TrainedAdapter:
    """The trained adapter, and the system before it had learned anything."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(chosen.recipe.seed)
        start = nn.Sequential(chosen.build(), *parts[1:]).eval()
    closed, known = chosen.closed, about["learning"]
    return TrainedAdapter(
        after=chosen.after,
        module=adapter,
        before=lambda images: closed.tail(start(closed.head(images))),
        learning=Learning(
            batch=known["batch"], rounds=tuple(known["rounds"]), accuracy=tuple(known["accuracy"]),
            server_ratio=known["server_ratio"], device_ratio=known["device_ratio"],
        ),
    )  # fmt: skip
