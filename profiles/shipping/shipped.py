"""Tables that the repository ships, found by what they were made of.

A shipped trace stands for a measured one only if it holds the same samples, network and stream
format; what it lacks of the codecs is traced where it is asked for. All were made on one machine,
`CPU`, whose seconds they hold. To ship one, on a machine that does nothing else: `python -m
profiles profiles` and `splitfleet trace model=NAME +methods=all ship=true`.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np

import npz
from profiles.tables.cost import CostSurface
from profiles.tables.latencies import phases_of, read_rows, surfaces_of
from profiles.tables.layers import ModelProfile
from profiles.tables.settings import specs
from profiles.tables.trace import TraceTable

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_FITTED = 1e-4
DATA = Path(__file__).parent.parent / "data"
CPU = "xeon"
"""The machine whose CPU timed the shipped profiles and codecs."""


def facts(network: Any, phase: str = "single") -> ModelProfile | None:
    """The profile of the shipped CPU of a network of that name and those stages, whatever its
    weights: seconds do not depend on them. None if there is none, or for a user's network.
    """
    path = DATA / "profiles" / f"{network.name}-{phase}-1.npz"
    if network.origin or not path.is_file():
        return None
    found = ModelProfile.load(path)
    return found if found.cut_names[1:-1] == tuple(network.stages) else None


@lru_cache(maxsize=32)
def surfaces(model: str, phase: str) -> tuple[CostSurface, ...]:
    """All heads and tails of a network that the repository ships, those of the CPU first.

    Other machines' are in `machines/NAME.csv` (CUDA graphs), and eager ones in the profiles.
    """
    first = ModelProfile.load(DATA / "profiles" / f"{model}-{phase}-1.npz")
    found = [first.head, first.tail]
    for path in sorted((DATA / "machines").glob("*.csv")):
        found += read_machine(path, model, first)
    for path in sorted((DATA / "profiles").glob(f"{model}-{phase}-[a-z]*.npz")):
        other = ModelProfile.load(path)
        found += [_isotonic(other.head), _isotonic(other.tail)]
    return tuple(found)


def read_machine(path: Path, model: str, first: ModelProfile) -> list[CostSurface]:
    """The surfaces of a network, with the cuts and in the phase of `first`, in a machine's table;
    none if it has no row there.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = read_rows(csv.DictReader(file), where=path.name).get(model)
    if rows is None:
        return []
    said = {"source": f"profiles/data/machines/{path.name}"}
    if first.phase == "single":
        return surfaces_of(rows, first, hardware=path.stem, provenance=said)
    return phases_of(rows, first, hardware=path.stem, provenance=said)[first.phase]


def _isotonic(surface: CostSurface) -> CostSurface:
    """A larger batch takes no less time."""
    return replace(surface, seconds=np.maximum.accumulate(surface.seconds, axis=1))


def find(network: Any, settings: Any, samples_digest: str, *, repeats: int) -> TraceTable | None:
    """The shipped trace of exactly these samples (`profiles.tables.settings.samples_digest`) that
    holds most of the settings; None if there is none.
    """
    import codec

    wanted = {
        "model_digest": network.digest,
        "codec_version": codec.FORMAT_VERSION,
        "samples_digest": samples_digest,
        "repeats": repeats,
    }
    asked, best, most = specs(settings), None, 0
    for table in _tables(network.name):
        held = len(asked.items() & table.provenance.get("codecs", {}).items())
        same = all(table.provenance.get(key) == value for key, value in wanted.items())
        if same and held > most:
            best, most = table, held
    return best


def holds(table: TraceTable, settings: Any) -> set[str]:
    """The names of those settings that a table was made with, for every kind of cut."""
    known = table.provenance["codecs"].items()
    return {name for name, kinds in settings.items() if specs({name: kinds}).items() <= known}


def generation(
    network: Any, settings: Any, cuts: Any, sizes: dict[str, int], *, repeats: int
) -> TraceTable | None:
    """The shipped generation trace of these `settings`; None if there is none.

    `sizes`: exactly so many `samples` and `prompt_tokens`, at least so many of axis `token`.
    """
    import codec

    for table in _tables(network.name):
        about = table.provenance
        if (
            about.get("model_digest") == network.digest
            and about.get("codec_version") == codec.FORMAT_VERSION
            and about.get("prompt_tokens") == sizes["prompt_tokens"]
            and about.get("repeats", 0) >= repeats
            and len(table.sample_ids) == sizes["samples"]
            and table.size("token") >= sizes["token"]
            and set(cuts) <= set(table.cuts)
            and all(alike(about["codecs"].get(n, ""), c.spec) for n, c in settings.items())
        ):
            return table
    return None


def alike(one: str, other: str) -> bool:
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
