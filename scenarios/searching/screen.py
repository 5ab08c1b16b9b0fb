"""Screen: what a search decided, as a row, as JSON and as a person reads it."""

from collections.abc import Mapping
from typing import Any

from scenarios.present.summary import Summary, number
from scenarios.searching.options import Tables
from scenarios.searching.schemes import SchemeTables
from sim.search import Decision, refusal
from sim.validation.playback import Played

Known = Tables | SchemeTables
"""What a search reads its options from."""

_PARTS = ("device_s", "uplink_s", "link_wait_s", "server_wait_s", "service_s", "down_s")
_LINES = (
    ("server ms/{unit}", "server_s", 1e3),
    ("latency ms", "latency_s", 1e3),
    *((f"  {part.removesuffix('_s').replace('_', ' ')} ms", part, 1e3) for part in _PARTS),
    ("link load", "link_load", 1.0),
    ("server load", "server_load", 1.0),
    ("loss pp, upper end", "drop_pp", 1.0),
    ("device memory MB", "memory_bytes", 1e-6),
)


def flat(chosen: Decision, known: Known, binding: str) -> dict[str, Any]:
    """One row of a decision."""
    assert chosen.options is not None
    option, forecast = chosen.options[0], chosen.forecasts[0]
    named = known.name(option)
    more = {name: value for name, value in named.items() if name not in option._fields}
    return {"cut": named["cut"], "codec": named["setting"], "tokens": option.tokens or None, **more,
            "server_s_per_request": chosen.server_s, "latency_mean_s": forecast.latency_s,
            "drop_pp": forecast.drop_pp, "memory_bytes": forecast.memory_bytes,
            "link_utilization": chosen.link_load, "server_utilization": chosen.server_load,
            "binding": binding}  # fmt: skip


def plain(decision: Decision, played: Played | None, known: Known) -> dict[str, Any]:
    """A decision as JSON."""
    if not decision.feasible or decision.options is None:
        return {"search": decision.search, "refusal": refusal(decision),
                "evaluations": decision.evaluations}  # fmt: skip
    return {
        "search": decision.search,
        "option": known.name(decision.options[0]),
        "predicted": _forecast(decision),
        "simulated": None if played is None else played._asdict(),
        "binding": decision.binding,
        "evaluations": decision.evaluations,
    }


def side_by_side(
    shown: Mapping[str, tuple[Decision, Played | None]], known: Known
) -> dict[str, Any]:
    """What was chosen, and predictions beside simulations."""
    chosen = {key: decision.options[0] for key, (decision, _) in shown.items() if decision.options}
    unit = "token" if any(option.tokens for option in chosen.values()) else "request"
    kinds = ("predicted", "simulated")
    lines = [[heading.format(unit=unit)] for heading, _, _ in _LINES]
    for decision, played in shown.values():
        before, after = _forecast(decision), {} if played is None else played._asdict()
        for line, (_, name, scale) in zip(lines, _LINES, strict=True):
            value = after.get(name)
            value = value[0] if isinstance(value, tuple) else value
            line += [number(scale * before[name], 4)]
            line += [number(None if value is None else scale * value, 4)]
    return {
        "title": "\n".join(f"{key}: {known.say(option)}" for key, option in chosen.items()),
        "columns": ("", *(f"{key}, {kind}" for key in shown for kind in kinds)),
        "rows": tuple(map(tuple, lines)),
    }


def compare(found: Mapping[str, Decision], known: Known) -> Summary:
    """A line for each search."""
    return Summary(
        title="What every search decides",
        columns=("search", "option", "server ms", "latency ms", "evaluations"),
        rows=tuple(
            (
                name,
                known.say(one.options[0]) if one.options else "none",
                number(1e3 * one.server_s if one.options else None, 4),
                number(1e3 * one.forecasts[0].latency_s if one.options else None, 4),
                str(one.evaluations),
            )
            for name, one in found.items()
        ),
    )


def _forecast(decision: Decision) -> dict[str, float]:
    shared = ("server_s", "link_load", "server_load")
    return decision.forecasts[0]._asdict() | {name: getattr(decision, name) for name in shared}
