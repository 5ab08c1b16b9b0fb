"""Systems at random, and whether two engines play them alike to the last bit."""

import math
import tempfile
from collections.abc import Iterable
from dataclasses import astuple, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from profiles.shipping import shipped
from profiles.tables.cost import CostSurface
from profiles.tables.layers import ModelProfile
from profiles.tables.trace import Column, TraceTable
from sim.measures.result import Result
from sim.sources.draw import Draw
from sim.sources.sessions import ConstantSessions, TraceSessions
from sim.sources.sizes import Size, SizedSessions
from sim.sources.source import ConstantSource, ExponentialSource, Source, TraceSource
from sim.specs import (
    AdaptSpec,
    ChurnSpec,
    GroupSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
)
from sim.specs.fleet import FleetSpec
from sim.system import run

TABLE = TraceTable.load(shipped.DATA / "traces" / "scenes.npz")
PROFILE = ModelProfile.load(shipped.DATA / "profiles" / "scenes-single-1.npz")
DISCIPLINES = ("fifo", "fifo", "take_all", "dynamic", "edf", "continuous")


@st.composite
def sources(draw: st.DrawFn, lattice: bool) -> Source:
    """Measured rows, or requests all alike: on a lattice of few values, full of ties, or not."""
    kind = draw(st.integers(0, 5))
    if kind == 5:
        means = [0.001, 0.01, 0.02]
        return ExponentialSource(
            server_s=draw(st.sampled_from(means)), device_s=draw(st.sampled_from([0.0, *means]))
        )
    if kind < 2:
        cut = draw(st.sampled_from(["stage1", "stage3", "stage4"]))
        setting = draw(st.sampled_from(["ecsq", "int8", "slicer"]))
        return TraceSource(
            TABLE, cut, setting, PROFILE.head, PROFILE.tail, tensor_bytes=4096.0
        )  # fmt: skip
    if lattice:
        return ConstantSource(
            device_s=draw(st.sampled_from([0.0, 0.01, 0.02])),
            payload_bytes=draw(st.sampled_from([0.0, 1000.0, 1500.0, 9000.0])),
            server_s=draw(st.sampled_from([0.0, 0.005, 0.01])),
            answer_bytes=draw(st.sampled_from([0.0, 0.0, 500.0, 4000.0])),
            batch_slope_s=draw(st.sampled_from([0.0, 0.001])),
        )
    part = st.floats(0.0, 1.0, allow_subnormal=False)
    return ConstantSource(
        device_s=0.02 * draw(part), payload_bytes=9000.0 * draw(part),
        answer_bytes=3000.0 * draw(part), server_s=0.01 * draw(part),
        batch_slope_s=0.002 * draw(part),
    )  # fmt: skip


@st.composite
def sessions(draw: st.DrawFn, lattice: bool) -> Source:
    """Sessions all alike, of recorded sizes, or records whose layers were timed: short and long
    ones, some of a single step, prompts of one token and of many.
    """
    per_token = {
        "device_token_bytes": draw(st.sampled_from([0.0, 10.0, 17.3])),
        "server_token_bytes": draw(st.sampled_from([0.0, 10.0, 10.0, 7.1])),
    }
    kind = draw(st.sampled_from(["alike", "alike", "timed", "sized"]))
    if kind == "timed":
        return timed_sessions(draw(st.integers(0, 3)), per_token)
    wild = st.floats(0.0, 1.0).map(
        lambda part: round(part, 6)
    )  # a billionth of a byte is no payload
    part = st.sampled_from([0.0, 0.5, 1.0]) if lattice else wild
    steps = [
        Draw(
            7, 0.01 * draw(part), size * draw(part), 0.002 * draw(part), 0.008 * draw(part),
            500.0 * draw(part), 1.0, tokens, 0, True, 64.0,
        )
        for size, tokens in ((6000.0, draw(st.sampled_from([1, 2, 12, 12, 5000]))), (800.0, 1))
    ]  # fmt: skip
    slope_s = draw(st.sampled_from([0.0, 0.0005]))
    n_tokens = draw(st.sampled_from([1, 2, 5, 30]))
    if kind == "alike":
        return ConstantSessions(
            prompt=steps[0], token=steps[1], n_tokens=n_tokens, batch_slope_s=slope_s, **per_token
        )
    return SizedSessions(
        cost=lambda size: _sized(size, *steps), prompt=steps[0], token=steps[1],
        n_tokens=n_tokens, batch_slope_s=slope_s, **per_token,
    )  # fmt: skip


def _sized(size: Size, prompt: Draw, token: Draw) -> tuple[Draw, Draw]:
    """Prompts in proportion to their tokens, later tokens dearer in long sessions."""
    n = size.prompt_tokens
    return (
        prompt._replace(server_s=0.001 * n, payload_bytes=100.0 * n, new_tokens=n),
        token._replace(server_s=token.server_s + 1e-4 * size.new_tokens, kv_length=n),
    )


@cache
def generations() -> TraceTable:
    """A table of five records of up to six tokens."""
    n_tokens = np.array([6.0, 1.0, 4.0, 2.0, 6.0])
    rows = np.arange(5.0)[:, None]
    payload = 400.0 + 37.0 * rows + 11.3 * np.arange(6.0)
    payload[:, 0] *= 5.0
    dims = ("sample", "cut", "setting", "token")
    columns = {
        "payload_bytes": (payload[:, None, None, :], "B", dims),
        "encode_s": (1e-6 * payload[:, None, None, :], "s", dims),
        "decode_s": (2e-6 * payload[:, None, None, :], "s", dims),
        "correct": ((rows % 2.0)[:, :, None], "1", dims[:3]),
        "answer_bytes": (2.0 + rows[:, 0], "B", ("sample",)),
        "prompt_tokens": (np.array([8.0, 1.0, 3.0, 12.0, 5.0]), "1", ("sample",)),
        "n_tokens": (n_tokens, "1", ("sample",)),
    }
    return TraceTable(
        model="tiny", cuts=("a",), settings=("int8",), sample_ids=np.arange(5) + 3,
        columns={name: values for name, (values, _, _) in columns.items()},
        schema={name: Column(unit=unit, dims=of) for name, (_, unit, of) in columns.items()},
        axes={"token": tuple("012345")},
    )  # fmt: skip


def timed_sessions(variant: int, per_token: dict[str, float]) -> TraceSessions:
    """Records of `generations` on surfaces that end at batches of 4 or of 16, on a lattice of KV
    lengths or on one, with all of the network on the device or none.
    """
    batches = (1, 4) if variant == 0 else (1, 2, 8, 16)
    kv_lengths = (0, 3, 10, 40) if variant < 2 else (0, 64)
    shape = (1, len(batches), 2, len(kv_lengths))
    seconds = 1e-3 * (1.0 + np.abs(np.sin(np.arange(math.prod(shape)))).reshape(shape))
    axes: dict[str, Any] = {"batches": batches, "new_tokens": (1, 16), "kv_lengths": kv_lengths}
    head, tail = (
        CostSurface(part=part, hardware="here", cuts=("a",), seconds=seconds, **axes)
        for part in ("head", "tail")
    )
    sides = (head, None) if variant == 3 else (head, tail)
    return TraceSessions(generations(), "a", "int8", *sides, tensor_token_bytes=64.0, **per_token)


@st.composite
def links(draw: st.DrawFn) -> LinkSpec:
    """Every way of sharing, rates that fade, frames that are lost, and speeds that change."""
    sharing = draw(st.sampled_from(["fifo", "ps", "weighted", "dedicated", "wifi", "cellular"]))
    rate = draw(st.sampled_from(["fixed", "fixed", "mcs", "shannon", "outage"]))
    fades = rate == "outage" or (rate != "fixed" and draw(st.booleans()))
    loses = draw(st.sampled_from([False, False, True]))
    uncoded = rate != "fixed" and not fades and draw(st.sampled_from([False, False, True]))
    spread = rate != "fixed" and not uncoded and draw(st.booleans())
    return LinkSpec(
        sharing=sharing,
        n_cells=draw(st.sampled_from([1, 1, 2, 3])),
        rate_bps=draw(st.sampled_from([8e6, 24e6, 1e8])),
        rate=rate,
        snr_db=draw(st.sampled_from([8.0, 18.0])) if rate != "fixed" else 20.0,
        snr_spread_db=4.0 if spread else 0.0,
        rate_factor=draw(st.sampled_from([1.0, 2.0])) if rate == "mcs" else 1.0,
        fading="rayleigh" if fades else "none",
        coherence_s=draw(st.sampled_from([0.003, 0.01, 0.05])),
        outage=draw(st.sampled_from([0.05, 0.4])),
        frame_error_rate=draw(st.sampled_from([0.05, 0.4])) if loses else 0.0,
        bit_error_rate=draw(st.sampled_from([0.0, 1e-5]))
        if loses and not uncoded and not fades
        else 0.0,
        uncoded=uncoded,
        transport=draw(st.sampled_from(["exact", "exact", "erasure", "bit_error"])),
        max_retries=draw(st.sampled_from([0, 1, 7])),
        rtt_s=draw(st.sampled_from([0.0, 0.002, 0.01])),
        header_bytes=draw(st.sampled_from([0, 64])),
        frame_airtime_s=draw(st.sampled_from([1e-4, 2e-4] if sharing == "wifi" else [0.0, 1e-4])),
        aggregation=draw(st.sampled_from([1, 4, 39])),
        access_limit_s=draw(st.sampled_from([None, None, 2e-3])),
        downlink=draw(st.sampled_from(["dedicated", "dedicated", "shared"])),
        downlink_rate_bps=draw(st.sampled_from([None, 5e7])),
        contention=draw(st.sampled_from(["ns3", "bianchi"])),
        grant_s=draw(st.sampled_from([0.0, 0.004])),
        outage_at_s=draw(st.sampled_from([[], [], [0.0, 0.4], [0.25, 1.5]])),
        outage_length_s=draw(st.sampled_from([0.1, 0.25])),
        rate_csv=draw(st.sampled_from(["", "", *traces()])),
        trace_end=draw(st.sampled_from(["repeat", "repeat", "repeat", "hold", "hold", "refuse"])),
    )


@cache
def traces() -> tuple[str, ...]:
    """Files of the medium's speed: on a lattice with silences, and off it, fast enough for many."""
    lattice = [f"{0.25 * k:g},{(1.0, 0.5, 0.0, 2.0, 1.0)[k % 5]:g}" for k in range(14)]
    wild = [f"{0.013 * k * (1 + k % 3)!r},{abs(math.sin(k)):g}" for k in range(0, 90, 3)]
    return written({
        "lattice.csv": ["time_s,factor", *lattice],
        "wild.csv": ["time_s,factor", *sorted(wild, key=lambda row: float(row.split(",")[0]))],
    })  # fmt: skip


@st.composite
def servers(draw: st.DrawFn) -> ServerSpec:
    """Batches, limits, deadlines, several GPUs, decoding cores, overheads and copies."""
    discipline = draw(st.sampled_from(DISCIPLINES))
    law = draw(st.sampled_from(["constant", "constant", "empirical"]))
    return ServerSpec(
        discipline=discipline,
        service_law=law,
        service_csv=draw(st.sampled_from(services())) if law == "empirical" else "",
        service_block=draw(st.sampled_from([1, 3, 64])),
        max_batch_tokens=draw(st.sampled_from([3, 2048])),
        max_batch=1 if discipline == "fifo" else draw(st.sampled_from([2, 4, 8])),
        max_wait_s=draw(st.sampled_from([0.0, 0.005, 0.02])),
        n_gpus=draw(st.sampled_from([1, 1, 2, 3])),
        decode_on=draw(st.sampled_from(["gpu", "cpu"])),
        cpu_workers=draw(st.sampled_from([1, 2, 4])),
        queue_limit=draw(st.sampled_from([None, None, 0, 3])),
        drop_expired=draw(st.booleans()),
        overhead_s=draw(st.sampled_from([0.0, 1e-4])),
        batch_overhead_s=draw(st.sampled_from([0.0, 2e-4])),
        copy_fixed_s=draw(st.sampled_from([0.0, 1e-5])),
        copy_bytes_per_s=draw(st.sampled_from([None, 1e9])),
        speed=draw(st.sampled_from([1.0, 1.7])),
        session_memory_bytes=draw(st.sampled_from([None, 150.0, 150.0, 400.0])),
        admission=draw(st.sampled_from(["wait", "reject"])),
        **draw(failures()),
    )


@st.composite
def failures(draw: st.DrawFn) -> dict[str, Any]:
    """None mostly; at given times, or at random."""
    kind = draw(st.sampled_from(["never", "never", "planned", "random"]))
    if kind == "never":
        return {}
    when: dict[str, Any] = (
        {"fail_at_s": [0.25, 0.7, 1.5]} if kind == "planned" else {"mean_up_s": 0.4}
    )
    return when | {
        "repair_s": draw(st.sampled_from([0.05, 0.3])),
        "on_failure": draw(st.sampled_from(["retry", "lose"])),
    }


@st.composite
def workloads(draw: st.DrawFn) -> WorkloadSpec:
    """Closed loops, with and without pauses, and open ones."""
    limits: dict[str, Any] = {
        "deadline_s": draw(st.sampled_from([None, 0.03])),
        "max_new_tokens": draw(st.sampled_from([None, None, 1, 3])),
        "ttft_deadline_s": draw(st.sampled_from([None, None, 0.02])),
        "token_deadline_s": draw(st.sampled_from([None, None, 0.01])),
        "session_deadline_s": draw(st.sampled_from([None, None, 0.05])),
    }
    if draw(st.booleans()):
        return WorkloadSpec(
            kind="closed",
            think_s=draw(st.sampled_from([0.0, 0.01, 0.05])),
            think=draw(st.sampled_from(["constant", "exponential"])),
            start_spread_s=draw(st.sampled_from([0.0, 0.1])),
            **limits,
        )
    open_kinds = ["poisson", "poisson", "gamma", "mmpp", "periodic", "replay"]
    return WorkloadSpec(
        kind=(kind := draw(st.sampled_from(open_kinds))),
        rate_rps=draw(st.sampled_from([5.0, 20.0, 60.0])),
        max_in_flight=draw(st.sampled_from([None, 1, 3])),
        **limits,
        gap_cv=draw(st.sampled_from([0.3, 1.0, 2.0, 5.0])),
        burst_factor=draw(st.sampled_from([1.0, 10.0, 100.0])),
        burst_share=draw(st.sampled_from([0.05, 0.5])),
        burst_s=draw(st.sampled_from([0.02, 1.0])),
        synchronised=draw(st.booleans()),
        jitter_s=draw(st.sampled_from([0.0, 0.01])),
        replay_csv=draw(st.sampled_from(recordings())) if kind == "replay" else "",
    )


@st.composite
def churns(draw: st.DrawFn) -> ChurnSpec:
    """Devices that join late, leave, come back and restart, often while much is on its way."""
    join_s = draw(st.sampled_from([0.0, 0.0, 0.2, 0.5]))
    kind = draw(st.sampled_from(["joins", "leaves", "returns", "restarts", "restarts"]))
    if kind == "joins":
        return ChurnSpec(join_s=join_s)
    if kind == "restarts":
        return ChurnSpec(
            join_s=join_s,
            mean_up_s=draw(st.sampled_from([0.02, 0.1, 0.5])),
            mean_down_s=draw(st.sampled_from([0.01, 0.2])),
        )
    leave_s = join_s + draw(st.sampled_from([0.05, 0.3, 1.0 / 3.0, 0.8]))
    away_s = draw(st.sampled_from([0.02, 0.1, 0.7]))
    return ChurnSpec(
        join_s=join_s, leave_s=leave_s, back_s=leave_s + away_s if kind == "returns" else None
    )


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """How a group chooses among its sources and those of `others`."""
    policy = draw(st.sampled_from(["fixed", "fastest", "search", "search"]))
    eager = draw(st.booleans())
    return {
        "policy": policy,
        "adapt": AdaptSpec(
            limit_s=draw(st.sampled_from([0.02, 0.05, 0.2])),
            margin=0.0 if eager else draw(st.sampled_from([0.05, 0.3])),
            dwell_s=0.0 if eager else draw(st.sampled_from([0.01, 0.1])),
            dwell_spread=draw(st.sampled_from([0.0, 0.5])),
            probe_s=draw(st.sampled_from([None, 0.05, 0.3])),
            smoothing=draw(st.sampled_from([0.3, 1.0])),
            memory_s=draw(st.sampled_from([None, 0.1])),
        ),
    }


@cache
def services() -> tuple[str, ...]:
    """Files of service times: in a row, and by sample, not of all of them."""
    factors = [1.0 + 0.5 * math.sin(k) for k in range(50)]
    return written({
        "row.csv": ["factor", *(repr(factor) for factor in factors)],
        "samples.csv": [
            "sample,factor", *(f"{7 * k % 25},{factor!r}" for k, factor in enumerate(factors)),
        ],
    })  # fmt: skip


def written(texts: dict[str, list[str]]) -> tuple[str, ...]:
    """Files of these lines, in a folder of their own."""
    folder = Path(tempfile.mkdtemp())
    for name, lines in texts.items():
        (folder / name).write_text("\n".join([*lines, ""]))
    return tuple(str(folder / name) for name in texts)


@cache
def recordings() -> tuple[str, ...]:
    """Files of arrivals: on a lattice, by device, off it; one of sessions and their sizes."""
    lattice = [f"{0.05 * k:g}" for k in range(60) for _ in range(k % 3)]
    by_device = [f"{0.37 * k % 3.1!r},{k % 2}" for k in range(300)]
    return written({
        "lattice.csv": ["time_s", *lattice],
        "devices.csv": ["time_s,device", *by_device],
        "vidur.csv": [
            "arrived_at,num_prefill_tokens,num_decode_tokens",
            *(f"{0.011 * k * k!r},3,{k % 4}" for k in range(1, 16)),
        ],
    })  # fmt: skip


@st.composite
def systems(draw: st.DrawFn, talks: bool = False) -> tuple[SystemSpec, dict[str, Source]]:
    """A system of one to three groups, and their sources; `talks`: most of them of sessions."""
    link, lattice = draw(links()), draw(st.booleans())
    groups, found = {}, {}
    for name in "abc"[: draw(st.integers(1, 3))]:
        weighted = link.sharing == "weighted"
        groups[name] = GroupSpec(
            share=draw(st.sampled_from([1.0, 2.0])),
            slowdown=draw(st.sampled_from([1.0, 1.3])),
            straggler_share=draw(st.sampled_from([0.0, 0.3])),
            straggler_slowdown=2.0,
            workload=draw(workloads()),
            memory_bytes=draw(st.sampled_from([None, None, 60.0, 400.0])),
            link_weight=draw(st.sampled_from([1.0, 0.25, 3.0, 1e-4])) if weighted else 1.0,
            rate_bps=draw(st.sampled_from([None, 4e6, 3e7])) if link.rate == "fixed" else None,
            snr_db=draw(st.sampled_from([None, 12.0, 30.0]))
            if link.rate != "fixed" and not link.uncoded
            else None,
        )
        found[name] = draw(sources(lattice))
    if draw(st.sampled_from([False, False, True])):
        found |= {name: draw(sources(lattice)) for name in ("more", "most", "lone")}
        found["lone"] = ConstantSource(device_s=0.04)
        for name, group in groups.items():
            others = draw(st.sampled_from([[], ["more"], ["lone"], ["more", "lone", "most"]]))
            chosen = draw(policies())
            if any(isinstance(found[each], ExponentialSource) for each in (name, *others)):
                chosen = {}  # no policy knows its means
            groups[name] = replace(group, alternatives=others, **chosen)
    for name in groups if talks else ():
        if draw(st.sampled_from([True, True, True, False])):
            found[name] = draw(sessions(lattice))
            groups[name] = replace(groups[name], policy="fixed", alternatives=[])
            if draw(st.booleans()):
                others = {other: draw(sessions(lattice)) for other in ("talk", "chat")}
                chosen = draw(policies())
                per = draw(st.sampled_from(["request", "token", "token"]))
                chosen["adapt"] = replace(chosen["adapt"], per=per)
                groups[name] = replace(groups[name], alternatives=[*others], **chosen)
                found |= others
    for name, group in groups.items():
        if _replays_sizes(group, [found[each] for each in (name, *group.alternatives)]):
            groups[name] = replace(group, policy="fixed")  # others are left to SimPy
    ends = draw(st.sampled_from([None, None, None, 1, 5, 20]))
    for name in groups if draw(st.booleans()) else ():
        churn = draw(st.one_of(st.none(), churns()))
        if ends is None or _stays_until(ends, groups[name], churn):
            groups[name] = replace(groups[name], churn=churn)
    spec = SystemSpec(
        link=link,
        server=draw(servers()),
        fleet=FleetSpec(n_devices=draw(st.sampled_from([1, 2, 5, 17, 40])), groups=groups),
        workload=WorkloadSpec(requests=ends, until_all=ends is not None and draw(st.booleans())),
        horizon_s=draw(st.sampled_from([1.0, 2.0, 3.0])),
        warmup_s=draw(st.sampled_from([0.0, 0.3, 0.7])),
        seed=draw(st.integers(0, 2**64 - 1)),
        max_events=200_000,
    )
    return spec, found


@st.composite
def long_requests(draw: st.DrawFn) -> Source:
    """Requests all alike that take long somewhere, or stay on their device."""
    part = st.one_of(st.just(0.0), st.floats(0.0, 1.0, allow_subnormal=False))
    if draw(st.integers(0, 3)) == 0:
        return ConstantSource(device_s=0.001 + 0.3 * draw(part))
    return ConstantSource(
        device_s=0.3 * draw(part), payload_bytes=9000.0 * draw(part), server_s=0.3 * draw(part),
        answer_bytes=5000.0 * draw(part), batch_slope_s=0.03 * draw(part),
    )  # fmt: skip


@st.composite
def loops(draw: st.DrawFn) -> tuple[SystemSpec, dict[str, Source]]:
    """Closed loops with pauses on one medium before plain servers: what sim.engine.loops plays."""
    sharing = draw(st.sampled_from(["fifo", "ps", "weighted", "dedicated", "wifi"]))
    lattice = draw(st.sampled_from([False, False, False, True]))
    is_long = draw(st.sampled_from([False, True]))
    any_source = st.one_of(sources(lattice), long_requests()) if is_long else sources(lattice)
    link = LinkSpec(
        sharing=sharing,
        n_cells=draw(st.sampled_from([1, 1, 2, 5])),
        rate_bps=draw(st.sampled_from([8e6, 24e6, 1e8])),
        rtt_s=draw(st.sampled_from([0.0, 0.002, 0.01, 0.3] if is_long else [0.0, 0.002, 0.01])),
        header_bytes=draw(st.sampled_from([0, 64])),
        frame_airtime_s=draw(st.sampled_from([1e-4, 2e-4] if sharing == "wifi" else [0.0, 1e-4])),
        aggregation=draw(st.sampled_from([1, 4, 39])),
        access_limit_s=draw(st.sampled_from([None, 2e-3])),
        downlink_rate_bps=draw(st.sampled_from([None, 1e5 if is_long else 5e7])),
        contention=draw(st.sampled_from(["ns3", "bianchi"])),
    )
    discipline = draw(st.sampled_from(["fifo", "take_all", "dynamic"]))
    server = replace(
        draw(servers()), discipline=discipline, service_law="constant", service_csv="",
        max_batch=1 if discipline == "fifo" else draw(st.sampled_from([2, 8, 32])),
        queue_limit=None, drop_expired=False, fail_at_s=[], mean_up_s=None,
        max_wait_s=draw(st.sampled_from([0.0, 0.005, 0.0137])),
    )  # fmt: skip
    groups, found, one = {}, {}, draw(any_source)
    for name in "abc"[: draw(st.integers(1, 3))]:
        groups[name] = GroupSpec(
            share=draw(st.sampled_from([1.0, 2.0])),
            slowdown=draw(st.sampled_from([1.0, 1.3])),
            straggler_share=draw(st.sampled_from([0.0, 0.3])),
            straggler_slowdown=2.0,
            workload=WorkloadSpec(
                kind="closed",
                think_s=draw(st.sampled_from([1e-4, 0.01, 0.0523, 3.0 if is_long else 0.3])),
                think=draw(st.sampled_from(["exponential", "exponential", "constant"])),
                start_spread_s=draw(st.sampled_from([0.0, 0.1])),
                deadline_s=draw(st.sampled_from([None, 0.03])),
                max_in_flight=draw(st.sampled_from([None, 1])),
            ),
            link_weight=draw(st.sampled_from([1.0, 0.25, 3.0, 1e-4]))
            if sharing == "weighted"
            else 1.0,
            rate_bps=draw(st.sampled_from([None, 4e6, 3e7])),
        )
        found[name] = one if discipline != "fifo" else draw(any_source)
    spec = SystemSpec(
        link=link,
        server=server,
        fleet=FleetSpec(n_devices=draw(st.sampled_from([1, 2, 7, 40, 90])), groups=groups),
        horizon_s=draw(st.sampled_from([0.5, 1.0, 8.0 if is_long else 2.0])),
        warmup_s=draw(st.sampled_from([0.0, 0.3])),
        seed=draw(st.integers(0, 2**64 - 1)),
        max_events=200_000,
    )
    return spec, found


def _replays_sizes(group: GroupSpec, chosen: Iterable[Source]) -> bool:
    """Whether recorded arrivals say how long the sessions of one of these sources are."""
    replays = group.workload is not None and group.workload.kind == "replay"
    return replays and any(isinstance(each, SizedSessions) for each in chosen)


def _stays_until(ends: int, group: GroupSpec, churn: ChurnSpec | None) -> bool:
    """Whether a run that waits for requests may have a group that comes and goes like this."""
    replays = group.workload is not None and group.workload.kind == "replay"
    leaves = churn is not None and churn.leave_s is not None and churn.back_s is None
    return churn is None or not (replays or leaves)


def played(
    spec: SystemSpec, given: dict[str, Source], engine: str, replication: int
) -> Result | str:
    """What an engine makes of a system, or why it refuses it."""
    spec = spec if spec.engine == engine else replace(spec, engine=engine)
    try:
        return run(spec, given, replication=replication)
    except ValueError as error:
        return str(error)


def difference(one: Result | str, other: Result | str) -> str:
    """Where two results differ first, SimPy's and the compiled one's; empty where all is equal to
    the bit. Of what SimPy has no events left for, there is nothing to compare: it counts more; the
    compiled one looks at recorded times before it plays.
    """
    if isinstance(one, str) or isinstance(other, str):
        is_over = isinstance(one, str) and one.startswith("max_events")
        early = isinstance(other, str) and other.startswith("workload.requests must be <= the")
        alike = one == other or is_over or (early and isinstance(one, str))
        return "" if alike else f"{one} against {other}"
    for name in ("records", "in_flight", "steps", "steps_in_flight"):
        mine, theirs = getattr(one.book, name), getattr(other.book, name)
        for column in mine:
            if not np.array_equal(mine[column], theirs[column], equal_nan=True):
                return f"{name}: {column}"
    if one.book.has_sessions != other.book.has_sessions:
        return "sessions"
    for name in ("begin", "end"):
        if numbers(getattr(one.book, name)) != numbers(getattr(other.book, name)):
            return f"counters at the {name}"
    for name, each in one.estimates.items():
        if repr(float(each.mean)) != repr(float(other.estimates[name].mean)):
            return name
    return "" if one.warnings == other.warnings else "warnings"


def numbers(snapshot: object) -> list[str]:
    """All counters of an instant, to the bit."""
    flat: list[float] = []
    for value in astuple(snapshot):  # type: ignore[call-overload]
        flat += value if isinstance(value, tuple) else [value]
    return ["nan" if math.isnan(value) else repr(float(value)) for value in flat]
