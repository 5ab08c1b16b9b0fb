"""Given: tables that a user measured elsewhere, for the machine of a sheet.

`device.profile=FILE` and `server.profile=FILE` take what `splitfleet profile` wrote on another
machine, or a CSV of latencies (`profiles.tables.latencies`); only its seconds are used.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from profiles.predicting.roles import Known
from profiles.predicting.roofline import Sheet
from profiles.tables.columns import read_columns
from profiles.tables.cost import CostSurface
from profiles.tables.latencies import phases_of, read_rows, rise, surfaces_of
from profiles.tables.layers import ModelProfile
from profiles.tables.text import Stamp, stamp_of


def with_given(known: Known, sheet: Sheet, part: str) -> Known:
    """What is known of a network where a sheet names a file: that file for its machine, alone.

    Raises:
        ValueError: a file that is not there, another network's, unknown cuts, seconds that are
            negative, not finite or fall with the batch.
    """
    if not sheet.profile:
        return known
    surfaces = _read(
        sheet.profile, stamp_of(sheet.profile, "profile"), sheet.name, part, known.facts
    )
    others = [one for one in known.surfaces if one.hardware != sheet.name]
    return replace(known, surfaces=(*others, *surfaces))


@lru_cache(maxsize=32)
def _read(
    path: str, stamp: Stamp, hardware: str, part: str, facts: ModelProfile
) -> tuple[CostSurface, ...]:
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"{path}: is a directory")
    found = _of_npz(file, facts) if file.suffix == ".npz" else _of_csv(file, hardware, part, facts)
    named = [replace(one, hardware=hardware) for one in found]
    if not any(one.part == part for one in named):
        raise ValueError(f"{path}: holds no {part} seconds of {facts.model}")
    return tuple(named)


def _of_npz(file: Path, facts: ModelProfile) -> list[CostSurface]:
    """Both sides of a profile, isotonic over the batches."""
    given = ModelProfile.load(_phase(file, facts.phase))
    digests = [one.provenance.get("model_digest") for one in (given, facts)]
    if given.model != facts.model or given.phase != facts.phase:
        raise ValueError(
            f"{file}: is a profile of {given.model}, {given.phase};"
            f" it must be of {facts.model}, {facts.phase}"
        )
    if (None not in digests and digests[0] != digests[1]) or given.cut_names != facts.cut_names:
        raise ValueError(
            f"{file}: is of another {facts.model} (digest {digests[0]}, here {digests[1]})"
        )
    return [_isotonic(side, str(file)) for side in (given.head, given.tail)]


def _phase(file: Path, phase: str) -> Path:
    """The file of that phase: a decoder's prefill and decode lie beside each other."""
    other = {"prefill": "decode", "decode": "prefill"}.get(phase)
    return file.with_name(file.name.replace(other, phase)) if other else file


def _isotonic(side: CostSurface, where: str) -> CostSurface:
    """Seconds that never fall with the batch; refused where they fall by more than an error."""
    errors = side.errors if side.errors is not None else np.full(side.seconds.shape, np.nan)
    seconds, raised = side.seconds.copy(), []
    for token in range(len(side.new_tokens)):
        for kv in range(len(side.kv_lengths)):
            at = (slice(None), slice(None), token, kv)
            seconds[at], words = rise(
                side.seconds[at], errors[at], side.cuts, side.batches, f"{where}: {side.part}"
            )
            raised += [words] * bool(words)
    said: dict[str, Any] = {**side.provenance, "file": where}
    if raised:
        said["isotonic"] = "; ".join(raised)
    return replace(side, seconds=seconds, provenance=said)


def _of_csv(file: Path, hardware: str, part: str, facts: ModelProfile) -> Sequence[CostSurface]:
    """The surfaces of a table of latencies."""
    columns = read_columns(file, "profile")
    columns.cells("seconds")  # refuses a table without
    lines, cells = zip(*columns.rows(), strict=True)
    rows = read_rows(cells, where=str(file), part=part, numbers=lines)
    mine = [*rows.get(facts.model, []), *rows.get("", [])]
    if not mine:
        there = ", ".join(name for name in rows) or "no row"
        raise ValueError(f"{file}: holds {there}; it must hold rows of {facts.model}")
    said = {"file": str(file)}
    if facts.phase != "single":
        return phases_of(mine, facts, hardware=hardware, provenance=said)[facts.phase]
    return surfaces_of(mine, facts, hardware=hardware, provenance=said)
