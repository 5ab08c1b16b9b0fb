"""The measured half of a scenario: the network's profile and trace table, and sources made of them.

Both are kept in outputs/cache by what they depend on; what has changed is measured again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest, sem

from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.layers import ModelProfile
from profiles.tables.trace import TraceTable
from scenarios.shell.names import unknown
from scenarios.shell.progress import progress
from scenarios.systems import shipped
from scenarios.systems.scenario import Model
from sim.sources.source import TraceSource

__all__ = [
    "CACHE",
    "Codec",
    "Measured",
    "codec_points",
    "coders",
    "features",
    "kind_of",
    "ladder",
    "measure",
    "share",
]

CACHE = Path("outputs/cache")

_Z = 1.959964

Codec = Mapping[str, Any]
"""A codec as configured: `name` in the results, `chain`, and the chain's options."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one network costs and answers here."""

    profile: ModelProfile
    table: TraceTable
    _sources: dict[tuple[str, ...], TraceSource] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        """What goes to a worker: the tables without the sources made of them."""
        return {**self.__dict__, "_sources": {}}

    @cached_property
    def digests(self) -> dict[str, str]:
        """Content hashes of both, for point ids."""
        return {"profile": self.profile.digest, "trace": self.table.digest}

    def source(self, cut: str, setting: str, device: DeviceSpec, server: ServerSpec) -> TraceSource:
        """The requests of one device class at one cut and setting against one server.

        Raises:
            ValueError: a machine without a known factor, a combination that was not traced.
        """
        key = (cut, setting, repr(device), repr(server))
        if key not in self._sources:
            head, tail = device.scale(self.profile.head), server.scale(self.profile.tail)
            factors = {"encode_factor": head.factor, "decode_factor": tail.factor}
            self._sources[key] = TraceSource(self.table, cut, setting, head, tail, **factors)
        return self._sources[key]

    def quality(self, cut: str, setting: str) -> dict[str, float]:
        """What the codec does to the answers: all that is known, means over the table's samples.

        Share of right answers with Wilson's 95 % interval, unless weights are random; relative L2
        of the feature and KL of the answer with their normal intervals.
        """
        found: dict[str, float] = {}
        right = self.table.cell("correct", cut, setting)
        if not np.isnan(right).any():
            found |= share("table_accuracy", right)
        for name in ("relative_l2", "logit_kl"):
            values = self.table.cell(name, cut, setting)
            if not np.isnan(values).any():
                mean, reach = float(values.mean()), _Z * float(sem(values))
                found |= _interval(name, mean, max(0.0, mean - reach), mean + reach)
        return found

    def describe(self, device: DeviceSpec, server: ServerSpec) -> dict[str, Any]:
        """Return where every number comes from: the machine, the factor, the source."""
        return {
            "head_seconds": dict(device.scale(self.profile.head).provenance),
            "tail_seconds": dict(server.scale(self.profile.tail).provenance),
            "payloads": dict(self.table.provenance),
            "samples": len(self.table.sample_ids),
            **self.digests,
        }


def share(name: str, right: np.ndarray) -> dict[str, float]:
    """Share of ones in column `name` with Wilson's 95 % interval."""
    found = binomtest(int(right.sum()), len(right))
    low, high = found.proportion_ci(method="wilson")
    return _interval(name, found.statistic, float(low), float(high))


def _interval(name: str, mean: float, low: float, high: float) -> dict[str, float]:
    return {name: mean, f"{name}_lo": low, f"{name}_hi": high}


def measure(
    model: Model,
    codecs: Sequence[Codec],
    cuts: Sequence[str] | None = None,
    *,
    live: bool = False,
) -> Measured:
    """Profile and trace `model` on this machine, or read what an earlier run left.

    Unless `live`, a shipped table of exactly these samples and codecs is taken instead, together
    with the shipped profile of the machine that made it.

    Args:
        model: the network and how many test samples to trace.
        codecs: every setting; its `name` is the name in the table.
        cuts: where to trace; None for every cut.

    Raises:
        ValueError: an unknown cut or chain, or a codec that cannot encode what crosses a cut.
    """
    from profiles.shipping import store

    settings = {str(chosen["name"]): coders(chosen) for chosen in codecs}
    network = model.network()
    if network.task == "language":
        raise ValueError(
            f"model must answer with one class here, got {model.name}, which generates tokens; for"
            " those see the commands long_generation, search and trace"
        )
    for cut in cuts or ():
        if cut not in (allowed := ("input", *network.stages, "output")):
            raise ValueError(unknown("cut", cut, allowed))  # before anything is timed
    inputs, labels = model.inputs()
    if not live:
        found = shipped.find(network, settings, inputs, labels, repeats=model.repeats)
        if found is not None and set(cuts or ()) <= set(found[1].cuts):
            return Measured(profile=found[0], table=found[1])
    with progress(f"timing {model.name}") as report:
        profile = store.profile(CACHE, network, batches=tuple(model.batches), progress=report)
    known = profile.cut_names
    wanted = known if cuts is None else tuple(cut for cut in known if cut in cuts)
    for cut in cuts or ():
        _check_kind(cut, settings)
    with progress(f"tracing {model.name}") as report:
        table = store.trace(
            CACHE, network, settings, inputs, labels,
            cuts=wanted, repeats=model.repeats, progress=report,
        )  # fmt: skip
    return Measured(profile=profile, table=table)


def coders(chosen: Codec) -> dict[str, Any]:
    """The codec under the kind of tensor that it encodes: images at the input, features behind."""
    import codec
    from codec.chains.images import ByteCodec

    options = {key: value for key, value in chosen.items() if key not in ("name", "chain")}
    made = codec.create(str(chosen["chain"]), **options)
    return {"input" if isinstance(made, ByteCodec) else "feature": made}


def ladder(
    model: Model, settings: Mapping[str, Codec], cuts: Sequence[str], *, repeats: int = 1
) -> TraceTable:
    """The trace of many settings at a few cuts, and the answers without a codec at "output"."""
    from profiles.shipping import store

    network = model.network()
    inputs, labels = model.inputs()
    kinds = {name: coders({"name": name, **chosen}) for name, chosen in settings.items()}
    for cut in cuts:
        if cut not in ("input", *network.stages):
            raise ValueError(unknown("cut", cut, ("input", *network.stages)))
    with progress(f"tracing {len(kinds)} settings of {model.name}") as report:
        return store.trace(
            CACHE, network, kinds, inputs, labels,
            cuts=(*cuts, "output"), repeats=repeats, progress=report,
        )  # fmt: skip


def features(model: Model) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Features [sample, ...] of every stage on test samples, and where they come from."""
    import torch

    from profiles.measuring import cuts, machine

    network = model.network()
    inputs = model.inputs()[0]
    parts = cuts.split(network, batch=len(inputs))
    with machine.threads(1):
        x = torch.from_numpy(np.ascontiguousarray(inputs))
        found = {stage: parts.head(stage)(x).numpy() for stage in network.stages}
        where = machine.fingerprint()
    return found, {
        "kind": "measured",
        "model_digest": network.digest,
        "weights": network.weights,
        "machine": where,
        "samples": len(inputs),
    }


def codec_points(
    model: Model, codecs: Sequence[Codec], *, sizes: Sequence[int], repeats: int
) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Codec seconds by name, on real features joined or cut to `sizes`, and where they come from.

    Kept in outputs/cache, like tables, by everything that they depend on.
    """
    from profiles.measuring import crossing, machine
    from profiles.tables.law import Point

    network = model.network()
    inputs = model.inputs()[0]
    with machine.threads(1):
        where = machine.fingerprint()
    made = {str(chosen["name"]): next(iter(coders(chosen).values())) for chosen in codecs}
    provenance = {
        "kind": "measured",
        "model_digest": network.digest,
        "weights": network.weights,
        "codecs": {name: chosen.spec for name, chosen in made.items()},
        "machine": where,
        "samples": len(inputs),
    }
    text = json.dumps({**provenance, "sizes": list(sizes), "repeats": repeats}, sort_keys=True)
    path = CACHE / f"law-{model.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if path.exists():
        kept = json.loads(path.read_text())
        return {name: [Point(**p) for p in points] for name, points in kept.items()}, provenance
    found: dict[str, list[Any]] = {}
    with progress(f"timing codecs on {model.name}") as report:
        for done, (name, chosen) in enumerate(made.items(), 1):
            found[name] = crossing.codec_points(
                network, chosen, inputs, sizes=sizes, repeats=repeats
            )
            report(done, len(made))
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: [asdict(p) for p in points] for name, points in found.items()}
    path.write_text(json.dumps(kept))
    return found, provenance


def kind_of(chosen: Codec) -> str:
    """What a configured codec encodes: "input" (raw images) or "feature"."""
    return next(iter(coders(chosen)))


def _check_kind(cut: str, settings: Mapping[str, Mapping[str, Any]]) -> None:
    kind = "input" if cut == "input" else "feature"
    if cut == "output" or any(kind in kinds for kinds in settings.values()):
        return
    sent, other = ("raw images", "jpeg") if kind == "input" else ("features", "slicer")
    raise ValueError(
        f"cut={cut} sends {sent}, which codec {', '.join(settings)} does not encode; "
        f"choose another, such as codec={other}"
    )
