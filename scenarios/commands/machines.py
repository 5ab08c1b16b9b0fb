"""List whose seconds a device or a server takes: measured, scaled (how wrong) or missing.

One line per machine and network: the way by which its seconds are known as configured (the best of
its own table, a stated slowdown, the anchor and the roofline), how it ran, the batches that are
known, milliseconds of the whole network at batch 1, and the factor to which they are known (one
standard deviation), by how far that way was off from published latencies.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiles.predicting.codecs import Clock, codec_of
from profiles.predicting.roles import seconds_of
from profiles.shipping import shipped
from profiles.tables.hardware import THIS, DeviceSpec
from profiles.tables.layers import ModelProfile
from scenarios.present.summary import Summary, number
from scenarios.shell.names import unknown
from scenarios.sweep.store import Store, write_table
from scenarios.systems import sheets
from scenarios.systems.measured import known_of
from sim.specs.check import option

_NETWORKS = (
    "scenes", "digits", "resnet34", "mobilenet_v2", "vgg16", "densenet121", "efficientnet_b0",
    "swin_t", "bytellama", "llama2_7b", "llama2_13b",
)  # fmt: skip
_ROLES = {"device": "head", "server": "tail"}
_ERRORS = (
    "x/: the factor to which the seconds are known (1 sigma), by how far that way was off from"
    " published latencies (profiles/data/published.md); of language networks: decode steps"
)
_FEW = 24
_UNNAMED = (THIS, "unknown")
"""Sheets that stand for no machine in particular."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which networks and machines."""

    name: str = option("machines", "folder of the results")
    models: list[str] = option([], "networks; empty: all that are shipped")
    machines: list[str] = option([], "devices and servers; empty: all")

    def __post_init__(self) -> None:
        for chosen, known, what in (
            (self.models, _NETWORKS, "models"),
            (self.machines, [n for role in _ROLES for n in sheets.names(role)], "machines"),
        ):
            for name in chosen:
                if name not in known:
                    raise ValueError(unknown(what, name, known))


def run(config: Config) -> int:
    """Write machines.csv and print it."""
    rows = list(_rows(config))
    store = Store(Path("outputs") / config.name)
    path = write_table(store.make() / "machines.csv", rows)
    few = len(rows) <= _FEW
    (_each(rows) if few else _by_machine(rows)).show()
    print(f"written: {path}")
    return 0


def _rows(config: Config) -> Iterator[dict[str, Any]]:
    for role, part in _ROLES.items():
        for machine in sheets.names(role):
            if machine in _UNNAMED or (config.machines and machine not in config.machines):
                continue
            sheet = (
                sheets.device_sheet(machine) if role == "device" else sheets.server_facts(machine)
            )
            for model in config.models or _NETWORKS:
                yield {
                    "role": role,
                    "machine": machine,
                    "model": model,
                    **_known(sheet, part, model),
                }


def _known(sheet: Any, part: str, model: str) -> dict[str, Any]:
    """How the seconds of a network are known on a machine."""
    phase = "decode" if "llama" in model else "single"
    facts = ModelProfile.load(shipped.DATA / "profiles" / f"{model}-{phase}-1.npz")
    known = known_of(facts, shipped.surfaces(model, phase))
    try:
        surface = seconds_of(sheet, part, known)
    except ValueError as error:
        return {"kind": "missing", "way": str(error).split(";")[0]}
    clock = Clock(machine=shipped.CPU)
    carried = codec_of(sheet, known, clock, server=not isinstance(sheet, DeviceSpec))
    at = (surface.batches[0], surface.new_tokens[0], surface.kv_lengths[0])
    whole = surface.seconds_at("output" if part == "head" else "input", *at)
    return {
        "kind": surface.provenance["kind"],
        "way": surface.provenance["way"],
        "from": surface.provenance.get("from", {}).get("hardware", ""),
        "mode": surface.mode,
        "precision": surface.precision,
        "batches": f"{surface.batches[0]}-{surface.batches[-1]}",
        "whole_ms": 1e3 * whole,
        "error_factor": math.exp(surface.log_error),
        "codec": carried.kind,
        "codec_factor": carried.factor,
        "source": str(surface.provenance.get("source", "")),
    }


def _each(rows: list[dict[str, Any]]) -> Summary:
    return Summary(
        title="Whose seconds a role takes",
        finding=_finding(rows),
        columns=("machine", "role", "network", "known by", "runs as", "batches", "whole ms", "x/:",
                 "codec"),
        rows=tuple(
            (row["machine"], row["role"], row["model"], _way(row),
             f"{row.get('mode', '-')} {row.get('precision', '')}", row.get("batches", "-"),
             number(row.get("whole_ms")), number(row.get("error_factor")), row.get("codec", "-"))
            for row in rows
        ),
        origin=_ERRORS,
        keys=3,
    )  # fmt: skip


def _by_machine(rows: list[dict[str, Any]]) -> Summary:
    """A line per machine and way: which networks are known by it."""
    lines: dict[tuple[str, str, str, str], list[str]] = {}
    for row in rows:
        error = number(row.get("error_factor")) if row["kind"] != "measured" else "-"
        key = (row["machine"], row["role"], _way(row), error)
        lines.setdefault(key, []).append(row["model"])
    return Summary(
        title="Whose seconds a role takes",
        finding=f"{_finding(rows)}; each with its seconds: machines.csv, or models=[NAME]",
        columns=("machine", "role", "known by", "x/:", "networks"),
        rows=tuple((*key, ", ".join(models)) for key, models in lines.items()),
        origin=_ERRORS,
        keys=2,
    )


def _way(row: Mapping[str, Any]) -> str:
    source = f" from {row['from']}" if row.get("from") not in ("", None, row["machine"]) else ""
    way = row["way"] if row["kind"] != "measured" else ""
    return " ".join(filter(None, (row["kind"] + source, way)))


def _finding(rows: list[dict[str, Any]]) -> str:
    kinds = [row["kind"] for row in rows]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
