"""Comparison: profiles measured on a machine here against the table that is shipped of it.

`profiles/data/machines/NAME.csv` holds tails under CUDA graphs. What is profiled on the same card,
in the same mode, must repeat them; fp16 and bf16 are taken as alike.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from profiles.shipping import shipped
from profiles.tables.cost import CostSurface
from profiles.tables.layers import ModelProfile

TOLERANCE = 0.05
_ALIKE = {"bf16": "fp16"}


class Pair(NamedTuple):
    """One tail in both: where, and the profile's seconds over the table's."""

    model: str
    phase: str
    cut: str
    batch: int
    new_tokens: int
    kv_length: int
    ratio: float

    @property
    def holds(self) -> bool:
        """Within 5 %."""
        return abs(self.ratio - 1.0) <= TOLERANCE

    def __str__(self) -> str:
        tokens = "" if self.phase == "single" else f", {self.new_tokens} new, {self.kv_length} kept"
        return f"{self.cut}@{self.batch}{tokens} {100 * (self.ratio - 1.0):+.1f} %"


def compare(profile: ModelProfile) -> list[Pair]:
    """Every tail that the profile and the shipped table of its machine both have."""
    path = shipped.DATA / "machines" / f"{profile.hardware}.csv"
    if not path.is_file():
        return []
    tables = shipped.read_machine(path, profile.model, profile)
    return [
        pair
        for table in tables
        if table.part == "tail" and _way(table) == _way(profile.tail)
        for pair in _pairs(profile, table)
    ]


def report(paths: Sequence[Path]) -> str:
    """A line per profile that can be compared, and one for all."""
    lines, pairs = [], []
    for path in paths:
        found = compare(ModelProfile.load(path))
        if not found:
            lines.append(f"{path.name}: nothing to compare with")
            continue
        worst = max(found, key=lambda pair: abs(np.log(pair.ratio)))
        median = 100 * (float(np.median([pair.ratio for pair in found])) - 1.0)
        inside = sum(pair.holds for pair in found)
        lines.append(
            f"{path.name}: {inside} of {len(found)} tails within 5 %,"
            f" median {median:+.1f} %, worst {worst}"
        )
        pairs += found
    inside = sum(pair.holds for pair in pairs)
    return "\n".join([*lines, f"together: {inside} of {len(pairs)} tails within 5 %"])


def _way(surface: CostSurface) -> tuple[str, str]:
    return _ALIKE.get(surface.precision, surface.precision), surface.mode


def _pairs(profile: ModelProfile, table: CostSurface) -> Iterator[Pair]:
    """The points that both have, where the table's tail is not nothing."""
    mine = profile.tail
    points = itertools.product(
        [cut for cut in table.cuts if cut in mine.cuts],
        [batch for batch in table.batches if batch in mine.batches],
        [token for token in table.new_tokens if token in mine.new_tokens],
        [kv for kv in table.kv_lengths if kv in mine.kv_lengths],
    )
    for cut, batch, token, kv in points:
        theirs_s, mine_s = (one.seconds_at(cut, batch, token, kv) for one in (table, mine))
        if theirs_s > 0.0:
            ratio = mine_s / theirs_s
            yield Pair(profile.model, profile.phase, cut, batch, token, kv, ratio)
