"""Pace: how long a run must be to say something, and where its start-up ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from scenarios.planning.probe import Player
from sim import Source, SystemSpec
from sim.replicate import settled

_WARMUP_SHARE = 0.3
_SAFETY = 2.0
_TURNS = 8


def timed(spec: SystemSpec) -> bool:
    """Whether the system has a timetable of its own, so that its horizon must stay as it is."""
    loads = [spec.workload, *(g.workload for g in spec.fleet.groups.values() if g.workload)]
    return (
        spec.server.fails
        or spec.interruptible
        or spec.workload.requests is not None
        or any(load.kind == "replay" for load in loads)
    )


def lasting(spec: SystemSpec, requests: float, throughput_rps: float, n: int) -> SystemSpec:
    """`spec` with a run of so many requests behind a warm-up of three tenths of that time.

    In a closed loop every one of the `n` devices makes at least eight of them, so that a run is
    several turns long however large the fleet is.
    """
    if timed(spec) or throughput_rps <= 0.0:
        return spec
    if spec.workload.kind == "closed":
        requests = max(requests, _TURNS * n)
    length_s = requests / throughput_rps
    warmup_s = _WARMUP_SHARE * length_s
    return replace(spec, warmup="fixed", warmup_s=warmup_s, horizon_s=warmup_s + length_s)


def warmed(
    spec: SystemSpec, sources: Mapping[str, Source], *, play: Player
) -> tuple[SystemSpec, int]:
    """`spec` behind a warm-up of twice what MSER-5 cuts off the mean of pilot runs, and their cost.

    A run is never warmed up for less than three tenths of its length, since the cut of a few
    pilots is itself an estimate (White, Cobb and Spratt 2000); its length stays.
    """
    if timed(spec):
        return spec, 0
    requests = 0

    def counted(tasks: object) -> list[object]:
        nonlocal requests
        results = play(tasks)  # type: ignore[arg-type]
        requests += sum(len(result.records["done_s"]) for result in results)
        return results

    found = settled(spec, sources, play=counted)  # type: ignore[arg-type]
    warmup_s = max(spec.warmup_s, _SAFETY * found.warmup_s)
    length_s = spec.horizon_s - spec.warmup_s
    return replace(spec, warmup_s=warmup_s, horizon_s=warmup_s + length_s), requests
