"""Settings and samples as provenance names them: what a trace table was made with."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def specs(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The codec spec behind every setting and kind of cut, for provenance and caches."""
    return {
        f"{name}@{kind}": chosen.spec
        for name, kinds in sorted(settings.items())
        for kind, chosen in sorted(kinds.items())
    }


def samples_digest(inputs: np.ndarray, labels: np.ndarray) -> str:
    """Content hash of traced samples."""
    total = hashlib.sha256(f"{inputs.dtype.str}{inputs.shape}".encode())
    total.update(np.ascontiguousarray(inputs).tobytes())
    total.update(np.ascontiguousarray(labels).tobytes())
    return total.hexdigest()
