"""Codecs: how the seconds of a trace table's codecs reach the machine of a role.

A GPU does not encode: that is its host's core. The anchor, ResNet-18 on one thread, stands for the
codec.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from profiles.predicting import ways
from profiles.predicting.roles import Known, anchor_factor
from profiles.predicting.roofline import Sheet

_HOST = ("processor", "cpus", "system")
"""What of a machine's fingerprint tells whether it is the same; libraries may differ."""


class Carried(NamedTuple):
    """Codec seconds carried from the machine where they were measured: times `factor`."""

    factor: float
    kind: str
    log_error: float
    machine: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Where the codec seconds of a trace table were measured.

    `machine`: a name among the sheets, or one in words; `anchor_s`: the anchor on its core, where
    the table tells it; `host`: its fingerprint, where profiles may be of the same machine.
    """

    machine: str
    anchor_s: float | None = None
    host: Mapping[str, Any] = field(default_factory=dict)


def codec_of(sheet: Sheet, known: Known, clock: Clock, *, server: bool) -> Carried:
    """How codec seconds reach the processor that runs the codec beside the network.

    A profile measured on the machine tells its anchor (`codec_anchor_s`); it goes before the sheet
    where the user gave it.
    """
    part = "tail" if server else "head"
    if sheet.name == clock.machine or _is_same(sheet, known, part, clock):
        return Carried(1.0, "measured", 0.0, sheet.name, "measured there")
    base_s, hardware = _anchor_at(known, clock)
    gpu = sheet.processor in ("gpu", "npu")
    anchor = "codec_anchor_s" if gpu else "anchor_s"
    seconds, said = getattr(sheet, anchor), sheet.sources.get(anchor, "")
    beside_s = _core_beside(sheet, known, part)
    if beside_s is not None and (sheet.profile or seconds is None):
        seconds, said = beside_s, "measured with its profile"
    elif not gpu and sheet.slowdown is not None:
        said = sheet.sources["slowdown"]
        if clock.anchor_s is None:
            return Carried(sheet.slowdown, "scaled", 0.0, sheet.name, said)
        there_s, there = _anchor_at(known, Clock(machine=clock.machine))
        seconds = None if there_s is None else sheet.slowdown * there_s
        said = f"{sheet.slowdown:g} times {there}: {said}"
    if seconds is not None and base_s is not None:
        factor, source = anchor_factor(seconds, said, base_s, hardware)
        return Carried(factor, "scaled", ways.log_error(ways.ANCHOR, "cpu"), sheet.name, source)
    whose = "its host's cores" if server else "its processor"
    return Carried(
        1.0, "assumed", ways.log_error(ways.ANCHOR, "cpu"), sheet.name,
        f"nobody measured {whose}: taken as fast as {clock.machine}",
    )  # fmt: skip


def _is_same(sheet: Sheet, known: Known, part: str, clock: Clock) -> bool:
    """Whether the table of that machine and the codec seconds come from one host."""
    hosts = [one.provenance.get("machine", {}) for one in known.on(sheet, part)]
    return bool(clock.host) and any(
        all(host.get(key) == clock.host.get(key) for key in _HOST) for host in hosts
    )


def _anchor_at(known: Known, clock: Clock) -> tuple[float | None, str]:
    """Seconds of the anchor where the codecs were timed, and that machine's name."""
    if clock.anchor_s is not None:
        return clock.anchor_s, clock.machine
    processors = known.of_processor("head", gpu=False)
    found = [one for one in processors if one.hardware == clock.machine] or processors
    if not found or not found[0].provenance.get("anchor_s"):
        return None, clock.machine
    return float(found[0].provenance["anchor_s"]), found[0].hardware


def _core_beside(sheet: Sheet, known: Known, part: str) -> float | None:
    """Seconds of the anchor on one core of the machine, as a profile measured there tells them."""
    told = (one.provenance.get("codec_anchor_s") for one in known.on(sheet, part))
    return next((float(seconds) for seconds in told if seconds), None)
