"""Carrying: codec seconds that were measured here, on the machine of the shipped tables.

A codec that no shipped table holds is traced here, for its bytes and answers; what it takes there
follows from an anchor: the same chain, or `ecsq`, on the scenes' features after stage 3 (a chain of
images: at the input), which the shipped table holds and which is timed here again.
"""

import math
from typing import Any

import numpy as np

from profiles.predicting.codecs import Carried
from profiles.shipping import shipped
from profiles.shipping.shipped import CPU, DATA
from profiles.tables.hardware import THIS
from profiles.tables.medians import mean_error
from profiles.tables.trace import TraceTable
from scenarios.shell.progress import progress
from scenarios.systems.coders import coders
from scenarios.systems.sheets import names, read

_MODEL, _CUTS, _CHAIN = "scenes", ("stage3", "input"), "ecsq"
_SAMPLES, _REPEATS = 32, 9


def carry(chain: str, folder: Any) -> dict[str, Carried]:
    """By column, `encode_s` and `decode_s`: what a chain's seconds here are worth there."""
    there = TraceTable.load(DATA / "traces" / f"{_MODEL}.npz")
    if _is_here(there):
        said = Carried(1.0, "measured", 0.0, CPU, "measured there")
        return {"encode_s": said, "decode_s": said}
    held = chain in shipped.holds(there, _by_name(chain))
    at = [(cut, chain) for cut in _CUTS if held and there.exists(cut, chain)]
    cut, anchor = at[0] if at else (_CUTS[0], _CHAIN)
    here = _time(anchor, cut, folder)
    return {column: _ratio(there, here, cut, anchor, column) for column in ("encode_s", "decode_s")}


def _by_name(chain: str) -> dict[str, Any]:
    """The setting of a chain's own name, if it has one: a table holds it only where the chain is
    the one that it was made with.
    """
    return {chain: coders(read("codec", chain))} if chain in names("codec") else {}


def _is_here(table: TraceTable) -> bool:
    from profiles.measuring.machine import fingerprint, threads

    with threads(1):
        return bool(table.provenance["machine"] == fingerprint())


def _time(anchor: str, cut: str, folder: Any) -> TraceTable:
    """The anchor on the first samples, from `folder` or timed now."""
    from profiles import models
    from profiles.shipping import store

    inputs, labels = models.samples(_MODEL, "test", _SAMPLES, 0)
    kinds = {anchor: coders(read("codec", anchor))}
    with progress(f"timing {anchor} beside the shipped tables") as report:
        return store.trace(
            folder, models.create(_MODEL), kinds, inputs, labels,
            cuts=(cut,), repeats=_REPEATS, progress=report,
        )  # fmt: skip


def _ratio(there: TraceTable, here: TraceTable, cut: str, anchor: str, column: str) -> Carried:
    """Geometric mean of the samples' ratios, and its standard error."""
    known = there.cell(column, cut, anchor)[: len(here.sample_ids)]
    logs = np.log(known / here.cell(column, cut, anchor))
    factor = math.exp(float(np.mean(logs)))
    source = (
        f"{anchor} on the scenes ({cut}) takes {factor:.3g} times as long on {CPU}"
        f" as on the machine at hand ({column.removesuffix('_s')})"
    )
    return Carried(factor, "scaled", float(mean_error(logs)), CPU, source)


def scaled(table: TraceTable) -> dict[str, dict[str, Carried]]:
    """The settings whose seconds were not measured on the machine of the table but reached it by a
    ratio, as its provenance tells (`seconds`), by column; the table holds the seconds as they are.
    """
    said = table.provenance.get("seconds", {})
    one = Carried(
        1.0, str(said.get("kind")), 0.0, CPU, f"{said.get('source')}, {said.get('processor')}"
    )
    return {name: {"encode_s": one, "decode_s": one} for name in said.get("ratios", ())}


def back(folder: Any) -> dict[str, Carried]:
    """The other way round: what shipped codec seconds are worth on the machine at hand."""
    return {
        column: one._replace(
            factor=1.0 / one.factor, machine=THIS, source=f"{one.source}, the other way round"
        )
        for column, one in carry(_CHAIN, folder).items()
    }
