# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""What a device has of its group, or by its index: looked up, so that it is kept once."""

from sim.compiling import hot
from sim.engine import tables as t
from sim.engine.layout import *


@hot
def kind_of(p: int, d: int) -> int:
    """The kind of its workload."""
    return int(t.gn(p)[t.dn(p)[d, GROUP], KIND])


@hot
def talks_of(p: int, d: int) -> int:
    """1 where its requests are sessions."""
    return int(t.gn(p)[t.dn(p)[d, GROUP], TALKS])


@hot
def weight_of(p: int, d: int) -> float:
    """Its weight on a weighted medium."""
    return float(t.gf(p)[t.dn(p)[d, GROUP], WEIGHT])


@hot
def cell_of(p: int, d: int) -> int:
    """Its cell (Link.channel)."""
    n_cells = t.sn(p)[N_CELLS]
    return int(d % n_cells) if n_cells > 1 else 0


@hot
def way_of(p: int, d: int) -> int:
    """What it is to the link: its group's, or its own where ratios are spread."""
    return int(d if t.sn(p)[SPREADS] == 1 else t.dn(p)[d, GROUP])
