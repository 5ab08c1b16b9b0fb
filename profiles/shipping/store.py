"""A folder of profiles and traces, found again by what they were made of.

A name holds the digest of everything that the content depends on: the network's weights, the
samples, the codecs and the format of their streams, the way of measuring, and the machine where
times are concerned. What has changed is measured again; what has not is read.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import codec
from profiles.measuring import crossing, decoding, timing, tracing
from profiles.measuring import generation as generation_trace
from profiles.measuring.machine import fingerprint, threads
from profiles.measuring.timing import Progress
from profiles.models.data import sources
from profiles.models.network import Network
from profiles.schemes import damage as damaged
from profiles.schemes.transports import Transport, name_way
from profiles.tables.law import Point
from profiles.tables.layers import ModelProfile
from profiles.tables.settings import samples_digest, specs
from profiles.tables.trace import TraceTable

Found = TypeVar("Found", ModelProfile, TraceTable)


def profile(
    folder: Path | str, network: Network, *, progress: Progress | None = None, **how: Any
) -> ModelProfile:
    """The profile of `network` from `folder`; measured by `timing.measure(**how)` if not there."""
    key = _key({"model": network.digest, "how": how, "machine": _machine(how)})
    path = Path(folder) / f"profile-{network.name}-{key}.npz"
    layers = _read(ModelProfile, path)
    if layers is None:
        layers = timing.measure(network, progress=progress, **how)
        layers.save(path)
    return layers


def trace(
    folder: Path | str,
    network: Network,
    settings: tracing.Settings,
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    cuts: Sequence[str] | None = None,
    progress: Progress | None = None,
    **how: Any,
) -> TraceTable:
    """The trace of `network` from `folder`; made by `tracing.trace(**how)` if not there."""
    codecs = specs(settings)
    key = _key(
        {
            "model": network.digest,
            "codecs": codecs,
            "codec_version": codec.revision(),
            "samples": samples_digest(inputs, labels),
            "cuts": None if cuts is None else list(cuts),
            "how": how,
            "machine": _machine({}),
        }
    )
    path = Path(folder) / f"trace-{network.name}-{key}.npz"
    table = _read(TraceTable, path)
    if table is None:
        table = tracing.trace(
            network, settings, inputs, labels, cuts=cuts, progress=progress, **how
        )
        table.save(path)
    table.require(model_digest=network.digest, codecs=codecs, codec_version=codec.FORMAT_VERSION)
    return table


def damage(
    folder: Path | str,
    network: Network,
    settings: tracing.Settings,
    inputs: np.ndarray,
    labels: np.ndarray,
    ways: Sequence[Transport],
    *,
    cuts: Sequence[str],
    progress: Progress | None = None,
    **how: Any,
) -> TraceTable:
    """The columns over channels from `folder`; made by `damaged.trace(**how)` if not there."""
    depends = {
        "model": network.digest, "codecs": specs(settings),
        "codec_version": codec.revision(), "samples": samples_digest(inputs, labels),
        "cuts": list(cuts), "ways": [name_way(way) for way in ways], "how": how,
    }  # fmt: skip
    path = Path(folder) / f"damage-{network.name}-{_key(depends)}.npz"
    table = _read(TraceTable, path)
    if table is None:
        table = damaged.trace(
            network, settings, inputs, labels, ways, cuts=cuts, progress=progress, **how
        )
        table.save(path)
    return table


def phases(
    folder: Path, network: Network, sizes: Mapping[str, int], *, progress: Progress | None = None
) -> dict[str, ModelProfile]:
    """Prefill and decode from `folder`; measured if one of them is not there.

    `sizes`: prompts of `prompt_tokens`, generations of `token` steps.
    """
    prompt_tokens, n_tokens = sizes["prompt_tokens"], sizes["token"]
    key = _key(
        {"model": network.digest, "sizes": [prompt_tokens, n_tokens], "machine": _machine({})}
    )
    paths = {p: folder / f"phases-{network.name}-{key}-{p}.npz" for p in ("prefill", "decode")}
    found = {phase: _read(ModelProfile, path) for phase, path in paths.items()}
    known = {phase: one for phase, one in found.items() if one is not None}
    if len(known) < len(paths):
        known = decoding.measure(
            network, prompts=tuple(sorted({1, prompt_tokens})), batches=(1,),
            kv_lengths=(0, prompt_tokens + n_tokens), progress=progress,
        )  # fmt: skip
        for phase, path in paths.items():
            known[phase].save(path)
    return known


def generation(
    folder: Path,
    network: Network,
    settings: Mapping[str, Any],
    cuts: Sequence[str],
    sizes: Mapping[str, int],
    *,
    repeats: int,
    progress: Progress | None = None,
) -> TraceTable:
    """The generation trace from `folder`; measured if it is not there.

    `sizes`: `samples` generations from prompts of `prompt_tokens`, each of `token` steps.
    """
    samples, prompt_tokens, n_tokens = sizes["samples"], sizes["prompt_tokens"], sizes["token"]
    depends = {
        "model": network.digest, "codecs": {name: one.spec for name, one in settings.items()},
        "version": codec.revision(), "prompts": [samples, prompt_tokens, n_tokens],
        "cuts": list(cuts), "repeats": repeats, "machine": _machine({}),
    }  # fmt: skip
    path = folder / f"sessions-{network.name}-{_key(depends)}-trace.npz"
    table = _read(TraceTable, path)
    if table is None:
        prompts = sources.windows("test", samples, length=prompt_tokens).inputs
        table = generation_trace.trace(
            network, settings, prompts, cuts=cuts, n_tokens=n_tokens, repeats=repeats,
            progress=progress,
        )  # fmt: skip
        table.save(path)
    return table


def codec_points(
    folder: Path,
    network: Network,
    codecs: Mapping[str, Any],
    inputs: np.ndarray,
    *,
    progress: Progress | None = None,
    **how: Any,
) -> tuple[dict[str, list[Point]], dict[str, Any]]:
    """Seconds of codecs by name on features of several sizes from `folder`, and their provenance;
    measured by `crossing.codec_points(**how)` if not there.
    """
    provenance = {
        "kind": "measured",
        "model_digest": network.digest,
        "weights": network.weights,
        "codecs": {name: chosen.spec for name, chosen in codecs.items()},
        "machine": _machine({}),
        "samples": len(inputs),
    }
    path = folder / f"law-{network.name}-{_key({**provenance, **how})}.json"
    if path.exists():
        kept = json.loads(path.read_text())
        return {name: [Point(**p) for p in points] for name, points in kept.items()}, provenance
    timed: dict[str, list[Point]] = {}
    for done, (name, chosen) in enumerate(codecs.items(), 1):
        timed[name] = crossing.codec_points(network, chosen, inputs, **how)
        if progress is not None:
            progress(done, len(codecs))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({name: [asdict(p) for p in points] for name, points in timed.items()})
    path.write_text(text)
    return timed, provenance


def _machine(how: Mapping[str, Any]) -> dict[str, Any]:
    with threads(how.get("n_threads", 1)):
        return fingerprint(how.get("device", "cpu"))


def _key(parts: Mapping[str, Any]) -> str:
    text = json.dumps(parts, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """JSON for the arrays and tuples among the arguments."""
    return np.asarray(value).tolist()


def _read(kind: type[Found], path: Path) -> Found | None:
    """What lies at `path`; None if nothing does or it was cut off while being written."""
    try:
        return kind.load(path)
    except (FileNotFoundError, ValueError):
        return None
