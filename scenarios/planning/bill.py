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


NO_COST = (_COST, *(f"{part}_{_COST}" for part in _PARTS), "currency")
_JOULES = (_ENERGY, f"device_{_ENERGY}", f"server_{_ENERGY}")
NO_BILL: Bill = dict.fromkeys((*NO_COST, *_JOULES))


def bill(asked: Case, spec: SystemSpec, columns: Mapping[str, float]) -> Bill:
    """Cost and energy of `spec`, whose runs have these mean columns; None: not known."""
    energy = {name: columns[name] for name in _JOULES}
    return {k: _known(v) for k, v in {**asked.prices.per_device_month(spec), **energy}.items()}


def bill_of(asked: Case, n: int | None) -> Bill:
    """What `n` devices of a system cost, without their energy; nothing of no number."""
    if not n:
        return dict.fromkeys(NO_COST)
    spec = replace(asked.spec, fleet=replace(asked.spec.fleet, n_devices=n))
    return {key: _known(value) for key, value in asked.prices.per_device_month(spec).items()}


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


def say_bill(found: Mapping[str, Any]) -> list[Summary]:
    """A section on what it costs at N*; none where no price and no watt of a GPU is known."""
    if not _is_known(found):
        return []
    named = (f"{found['currency']} per device and month", _COST), ("J per request", _ENERGY)
    rows = [(words, *_cells(found, name)) for words, name in named]
    return [
        Summary(
            title="What it costs at N*",
            columns=("", *_PARTS.values(), "together"),
            rows=tuple(row for row in rows if set(row[1:]) != {"-"}),
        )
    ]


def say_bills(remedies: Sequence[Mapping[str, Any]]) -> list[Summary]:
    """A section on what each remedy costs, likewise."""
    known = [remedy for remedy in remedies if _is_known(remedy)]
    if not known:
        return []
    money = next((each["currency"] for each in known if each["currency"]), "")
    return [
        Summary(
            title=f"What each costs, {money or 'money'} per device and month",
            columns=("resource", *_PARTS.values(), "together", "J per request"),
            rows=tuple((r["words"], *_cells(r, _COST), number(r[_ENERGY])) for r in known),
        )
    ]


def _is_known(found: Mapping[str, Any]) -> bool:
    priced = any(found[f"{part}_{_COST}"] is not None for part in _PARTS)
    return priced or found[f"server_{_ENERGY}"] is not None


def _cells(found: Mapping[str, Any], name: str) -> list[str]:
    """The parts and their sum; a dash for what is not known."""
    return [*(number(found.get(f"{part}_{name}")) for part in _PARTS), number(found[name])]


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
