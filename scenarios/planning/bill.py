"""Bill: what an answered system costs by device and month, and its energy per request."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scenarios.present.summary import Summary, number
from scenarios.systems.case import Case
from sim import SystemSpec
from sim.planning.search.remedy import Held, Remedy

_COST = "cost_per_device_month"
_ENERGY = "energy_j_per_request"
_PARTS = {"server": "GPUs", "device": "devices", "link": "access points"}
_UNPRICED = {"server_speed": "server", "channel_width": "link"}
"""Nobody states what a faster GPU or a wider channel costs."""

Bill = dict[str, Any]


def bill(asked: Case, spec: SystemSpec, columns: Mapping[str, float]) -> Bill:
    """Cost and energy of `spec`, whose runs have these mean columns; None: not known."""
    energy = {name: columns[name] for name in (_ENERGY, f"device_{_ENERGY}", f"server_{_ENERGY}")}
    return {k: _known(v) for k, v in {**asked.prices.per_device_month(spec), **energy}.items()}


def bill_remedy(asked: Case, remedy: Remedy, held: Held, columns: Mapping[str, float]) -> Bill:
    """Those of a system with a remedy, its spare pieces counted: they are paid for and idle."""
    spec, columns = held.spec, dict(columns)
    if remedy.name == "n_gpus":
        server = replace(spec.server, n_gpus=spec.server.n_gpus + remedy.spare)
        spec = replace(spec, server=server)
        idle_w = server.power_idle_w or 0.0  # without watts the server's part is NaN already
        spare_j = remedy.spare * idle_w / columns["throughput_rps"]
        for name in (_ENERGY, f"server_{_ENERGY}"):
            columns[name] += spare_j
    if remedy.name == "n_cells":
        cells = spec.link.n_cells + remedy.spare
        spec = replace(spec, link=replace(spec.link, n_cells=cells))
    made = bill(asked, spec, columns)
    part = _UNPRICED.get(remedy.name)
    unknown = [_COST, f"{part}_{_COST}"] if part else []
    if part == "server":
        unknown += [_ENERGY, f"server_{_ENERGY}"]
    return {**made, **dict.fromkeys(unknown)}


NO_BILL: Bill = dict.fromkeys(
    [f"{part}{name}" for name in (_COST, _ENERGY) for part in ("", "server_", "device_")]
    + [f"link_{_COST}", "currency"]
)


def say_bill(found: Mapping[str, Any]) -> list[Summary]:
    """A section on what it costs at N*; none where no price and no watt of the server is known."""
    rows = [
        (words, *(number(found.get(f"{part}_{name}")) for part in _PARTS), number(found[name]))
        for words, name in ((f"{found['currency']} per device and month", _COST),
                            ("J per request", _ENERGY))
        if any(found.get(f"{part}_{name}") is not None for part in _PARTS)
    ]  # fmt: skip
    if all(found[f"{part}_{_COST}"] is None for part in _PARTS) and found[_ENERGY] is None:
        return []
    columns = ("", *_PARTS.values(), "together")
    return [Summary(title="What it costs at N*", columns=columns, rows=tuple(rows))]


def bill_columns(remedies: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Cells of the remedies' table by heading, where anything is known."""
    currency = next((r["currency"] for r in remedies if r["currency"]), "")
    columns = {
        f"{currency} per device and month".strip(): [_say_cost(r) for r in remedies],
        "J per request": [number(r[_ENERGY]) for r in remedies],
    }
    return {name: cells for name, cells in columns.items() if any(c != "-" for c in cells)}


def _say_cost(found: Mapping[str, Any]) -> str:
    """The whole; the parts by name where only some are known."""
    if found[_COST] is not None:
        return number(found[_COST])
    known = {words: found[f"{part}_{_COST}"] for part, words in _PARTS.items()}
    said = [f"{words} {number(cost)}" for words, cost in known.items() if cost is not None]
    return ", ".join(said) or "-"


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
