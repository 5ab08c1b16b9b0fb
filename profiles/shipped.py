"""What the repository ships or measures by itself: the settings, and one call per product.

    python -m profiles          lists them
    python -m profiles NAME     measures one anew, on a machine that does nothing else

Products go to `profiles/data`; `make figures` uses `settings`, `store.profile` and `store.trace`.
"""

from pathlib import Path

import codec
from profiles import models, store
from profiles.layers import ModelProfile
from profiles.timing import Progress
from profiles.trace import TraceTable
from profiles.tracing import Settings

__all__ = ["DATA", "profile_of", "settings", "trace_of"]

DATA = Path(__file__).parent / "data"


def settings() -> Settings:
    """The settings of every vision trace, by name: what goes over the link at which kind of cut.

    slicer-mild keeps half of the elements, slicer-hard a fifth, both at the codec's defaults.
    """
    return {
        "raw16": {"input": codec.create("raw8"), "feature": codec.create("raw16")},
        "raw32": {"feature": codec.create("raw32")},
        "jpeg": {"input": codec.create("jpeg")},
        "slicer-mild": {"feature": codec.create("slicer", sparsity=0.5)},
        "slicer-hard": {"feature": codec.create("slicer", sparsity=0.8)},
    }


def profile_of(
    model: str, folder: Path | str, *, n_threads: int = 1, progress: Progress | None = None
) -> ModelProfile:
    """The profile of a model on this machine, batches 1 to 16, measured once per folder."""
    network = models.create(model)
    return store.profile(
        folder, network, batches=(1, 2, 4, 8, 16), n_threads=n_threads, progress=progress
    )


def trace_of(
    model: str,
    folder: Path | str,
    *,
    n_samples: int = 600,
    repeats: int = 5,
    progress: Progress | None = None,
) -> TraceTable:
    """The trace of a vision model over its test split at every cut and setting."""
    network, data = models.create(model), models.samples(model, "test", n_samples)
    return store.trace(
        folder, network, settings(), data.inputs, data.labels, repeats=repeats, progress=progress
    )
