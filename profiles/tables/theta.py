"""Theta: the knobs of the SLICER chain, and the stored tables of one network under many of them.

Sparsity s, distortion threshold delta, block count M, asymmetry lambda. The tables lie in
profiles/data/search; `splitfleet search ship=true` measures them again.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiles.tables.trace import TraceTable

FOLDER = Path(__file__).parent.parent / "data" / "search"


@dataclass(frozen=True, kw_only=True, order=True)
class Theta:
    """One setting of the SLICER chain; its order is from mild to aggressive, s before delta."""

    sparsity: float
    distortion: float
    n_blocks: int
    asymmetry: float

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"s{self.sparsity:g}-d{self.distortion:g}-m{self.n_blocks}-a{self.asymmetry:g}"

    def chain(self) -> dict[str, Any]:
        """The codec as configured."""
        knobs = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"name": self.name, "chain": "slicer", **knobs}


def _grid(*axes: tuple[float, ...]) -> tuple[Theta, ...]:
    return tuple(
        Theta(sparsity=s, distortion=delta, n_blocks=int(m), asymmetry=asymmetry)
        for s, delta, m, asymmetry in itertools.product(*axes)
    )


GRIDS: Mapping[str, tuple[Theta, ...]] = {
    "scenes": _grid((0.3, 0.5, 0.65, 0.8, 0.9), (0.005, 0.01, 0.03), (1, 4), (1.0, 0.5)),
    "bytellama": _grid((0.0, 0.3, 0.6), (0.005, 0.01, 0.03), (1, 4), (1.0, 0.5)),
}


def theta_of(setting: str) -> Theta | None:
    """The theta behind a setting's name; None for what is not the SLICER chain."""
    return {theta.name: theta for grid in GRIDS.values() for theta in grid}.get(setting)


def stored(model: str) -> TraceTable:
    """The shipped table of a network.

    Raises:
        ValueError: a network without one; the message lists those that have one.
    """
    path = FOLDER / f"{model}.npz"
    if not path.exists():
        known = sorted(found.stem for found in FOLDER.glob("*.npz"))
        raise ValueError(f"model must be one of {', '.join(known)} for a search, got {model!r}")
    return TraceTable.load(path)


def from_mild(settings: Sequence[str]) -> list[str]:
    """Settings from mild to aggressive: what is no theta first."""
    thetas = [theta for name in settings if (theta := theta_of(name)) is not None]
    return [*(s for s in settings if theta_of(s) is None), *(t.name for t in sorted(thetas))]
