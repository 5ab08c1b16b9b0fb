"""Tables that the repository ships, found by what they were made of.

A shipped table stands for a measured one only if it holds the same samples, network and stream
format, and every codec that is asked for (others besides do no harm); otherwise the caller
measures. It goes with the profile of the same machine. To ship one, on a machine that does nothing
else: `python -m profiles profiles` and `splitfleet trace model=NAME +methods=all ship=true`.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

import npz
from profiles.tables.layers import ModelProfile
from profiles.tables.trace import TraceTable

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_FITTED = 1e-4
DATA = Path(__file__).parent.parent / "data"


def find(
    network: Any, settings: Any, inputs: np.ndarray, labels: np.ndarray, *, repeats: int
) -> tuple[ModelProfile, TraceTable] | None:
    """A shipped trace of exactly this, and the profile of its machine; None if there is none."""
    import codec
    from profiles.measuring.tracing import samples_digest, specs

    wanted = {
        "model_digest": network.digest,
        "codec_version": codec.FORMAT_VERSION,
        "samples_digest": samples_digest(inputs, labels),
        "repeats": repeats,
    }
    for table in _tables(network.name):
        known = table.provenance.get("codecs", {})
        coded = specs(settings).items() <= known.items()
        if coded and all(table.provenance.get(key) == value for key, value in wanted.items()):
            profile = _profile(network, table, "single")
            if profile is not None:
                return profile, table
    return None


def generation(
    network: Any, settings: Any, cuts: Any, sizes: dict[str, int], *, repeats: int
) -> tuple[ModelProfile, ModelProfile, TraceTable] | None:
    """Shipped prefill, decode and generation trace of these `settings`; None if there is none.

    `sizes`: exactly so many `samples` and `prompt_tokens`, at least so many of axis `token`.
    """
    import codec

    for table in _tables(network.name):
        about = table.provenance
        fits = (
            about.get("model_digest") == network.digest
            and about.get("codec_version") == codec.FORMAT_VERSION
            and about.get("prompt_tokens") == sizes["prompt_tokens"]
            and about.get("repeats", 0) >= repeats
            and len(table.sample_ids) == sizes["samples"]
            and table.size("token") >= sizes["token"]
            and set(cuts) <= set(table.cuts)
            and all(_alike(about["codecs"].get(n, ""), c.spec) for n, c in settings.items())
        )
        if fits:
            prefill, decode = (_profile(network, table, name) for name in ("prefill", "decode"))
            if prefill is not None and decode is not None:
                return prefill, decode, table
    return None


def _alike(one: str, other: str) -> bool:
    """Whether two settings are the same but for the last digits of a fitted number.

    What a chain is fitted to are a network's features, whose last digits differ between processors:
    a table of the step 0.67964033 is one of 0.67964125.
    """
    texts, numbers = zip(
        *((_NUMBER.sub("#", s), _NUMBER.findall(s)) for s in (one, other)), strict=True
    )
    return texts[0] == texts[1] and all(
        isclose(float(a), float(b), rel_tol=_FITTED) for a, b in zip(*numbers, strict=True)
    )


def _tables(model: str) -> Iterator[TraceTable]:
    for path in sorted((DATA / "traces").glob(f"*{model}*.npz")):
        try:
            yield TraceTable.load(path)
        except ValueError:  # a table of another kind or of an older format
            continue


def _profile(network: Any, table: TraceTable, phase: str) -> ModelProfile | None:
    for path in sorted((DATA / "profiles").glob(f"*{network.name}*.npz")):
        try:
            found = ModelProfile.load(path)
        except ValueError:
            continue
        same = found.provenance.get("model_digest") == network.digest
        machine = table.provenance["machine"]
        if same and found.phase == phase and dict(found.fingerprint) == machine:
            return found
    return None


@lru_cache(maxsize=8)
def parameters(model: str, cuts: tuple[str, ...]) -> tuple[int, ...] | None:
    """Parameters before every cut, from the shapes of the shipped weights; the embedding is first.

    What belongs to no layer and is not the embedding comes last, with the answer. None where the
    repository ships no weights of the network.
    """
    path = DATA / "weights" / f"{model}.npz"
    if not path.exists():
        return None
    sizes = {name: int(array.size) for name, array in npz.read(path).items()}
    inner = [
        sum(size for name, size in sizes.items() if name.startswith(f"{cut}."))
        for cut in cuts[1:-1]
    ]
    embedding = sum(size for name, size in sizes.items() if name.startswith("embed"))
    return (embedding, *inner, sum(sizes.values()) - embedding - sum(inner))
