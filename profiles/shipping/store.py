"""A folder of profiles and traces, found again by what they were made of.

A name holds the digest of everything that the content depends on: the network's weights, the
samples, the codecs and the format of their streams, the way of measuring, and the machine where
times are concerned. What has changed is measured again; what has not is read.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import codec
from profiles.measuring import timing, tracing
from profiles.measuring.machine import fingerprint, threads
from profiles.measuring.timing import Progress
from profiles.models.network import Network
from profiles.tables.layers import ModelProfile
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
    codecs = tracing.specs(settings)
    key = _key(
        {
            "model": network.digest,
            "codecs": codecs,
            "codec_version": codec.revision(),
            "samples": tracing.samples_digest(inputs, labels),
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
