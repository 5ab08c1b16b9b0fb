"""Conditions: what a profile says of how it was measured, and what of it is not to be relied on."""

from dataclasses import replace
from typing import Any

import numpy as np

from profiles.measuring import copies
from profiles.measuring.anchor import Anchor, core_anchor_s, tell_drift
from profiles.measuring.deployment import Deployment
from profiles.measuring.machine import clocks, fingerprint, peaks
from profiles.tables import medians
from profiles.tables.cost import CostSurface
from profiles.tables.latencies import rise
from profiles.tables.layers import ModelProfile

COARSE = 0.05
"""Half the 95 % interval of a median, as a fraction of it, above which a point is coarse."""
LOOPS = "separate"
"""Every part was timed in a loop of its own; in turn, with caches and queues, a server takes longer
(on one 30 to 55 %)."""


def describe(deployment: Deployment, anchor: Anchor, n_threads: int) -> dict[str, Any]:
    """The provenance that all of a profile's tables share, once everything is timed."""
    device = deployment.device
    around = anchor.provenance()
    alone = device == "cpu" and n_threads == 1
    seen = clocks(device)
    return {
        "kind": "measured",
        **around,
        "codec_anchor_s": around["anchor_s"] if alone else core_anchor_s(),
        "peaks": peaks(device),
        "machine": {**fingerprint(device), **({"clocks": seen} if seen else {})},
        "precision": deployment.precision,
        "mode": deployment.mode,
        "loops": LOOPS,
        **({"copies": copies.measure()} if device == "cuda" else {}),
    }


def finish(profile: ModelProfile) -> ModelProfile:
    """The profile with seconds that never fall with the batch, and with what speaks against it.

    `isotonic` names what was raised, `falls` what falls by more than its errors allow and was left,
    `coarse` the points whose median is known to less than 5 %.
    """
    said: dict[str, Any] = {}
    sides = {part: _rise(getattr(profile, part), said) for part in ("head", "tail")}
    coarse = list(dict.fromkeys(name for side in sides.values() for name in find_coarse(side)))
    if coarse:
        said["coarse"] = coarse
    if not said:
        return profile
    head, tail = (replace(s, provenance={**s.provenance, **said}) for s in sides.values())
    return replace(profile, head=head, tail=tail, provenance={**profile.provenance, **said})


def find_coarse(surface: CostSurface) -> list[str]:
    """Points `cut@batch` (`cut@batch, n new on m cached` of a decoder) known to less than 5 %."""
    if surface.errors is None:
        return []
    names = []
    for cut, batch, token, kv in np.argwhere(medians.Z * surface.errors > COARSE):
        name = f"{surface.cuts[cut]}@{surface.batches[batch]}"
        if (surface.new_tokens, surface.kv_lengths) != ((1,), (0,)):
            name += f", {surface.new_tokens[token]} new on {surface.kv_lengths[kv]} cached"
        names.append(name)
    return names


def doubts(profile: ModelProfile) -> list[str]:
    """What speaks against a profile, a line each."""
    said = profile.provenance
    lines = [tell_drift(float(said.get("anchor_drift", 0.0))), str(said.get("falls", ""))]
    coarse = said.get("coarse", [])
    if coarse:
        more = f" and {len(coarse) - 3} more" if len(coarse) > 3 else ""
        lines.append(f"known to less than 5 % only: {'; '.join(coarse[:3])}{more}")
    return [line for line in lines if line]


def _rise(side: CostSurface, said: dict[str, Any]) -> CostSurface:
    errors = side.errors if side.errors is not None else np.full(side.seconds.shape, np.nan)
    seconds, raised = side.seconds.copy(), []
    try:
        for token, kv in np.ndindex(*side.seconds.shape[2:]):
            at = (slice(None), slice(None), token, kv)
            seconds[at], words = rise(
                side.seconds[at], errors[at], side.cuts, side.batches, side.part
            )
            raised += [words] * bool(words)
    except ValueError as error:
        said["falls"] = "; ".join([*([said["falls"]] if "falls" in said else []), str(error)])
        return side
    if raised:
        words = f"{side.part}: {'; '.join(raised)}"
        said["isotonic"] = "; ".join([*([said["isotonic"]] if "isotonic" in said else []), words])
    return replace(side, seconds=seconds)
