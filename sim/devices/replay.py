"""Replayed workloads: requests, or whole sessions, come when they were recorded."""

from collections.abc import Sequence

from simpy import Environment

from sim.devices.arrivals import Arrivals, arrivals
from sim.devices.device import Device, Steps
from sim.places import groups_of
from sim.sources.sizes import Size, SizedSessions, held
from sim.sources.source import Source, Sources
from sim.specs import SystemSpec, WorkloadSpec
from sim.streams import RequestStream


def replay(env: Environment, device: Device, spec: WorkloadSpec, stream: RequestStream) -> Steps:
    """The recorded times of this device, and the lengths of its sessions where they are known."""
    found = arrivals(spec, device.meter.n_devices)
    times = found.times_s.get(device.index, ())
    wanted = device.meter.waits_for(device.index)
    if len(times) < wanted:
        raise ValueError(
            f"workload.requests must be <= the {len(times)} times of device {device.index} in"
            f" workload.replay_csv, got {wanted}"
        )
    sizes = found.sizes.get(device.index, (None,) * len(times))
    for time_s, size in zip(times, sizes, strict=True):
        if time_s >= env.now:
            yield env.timeout(time_s - env.now)
            device.spawn(device.handle(size))


def say_replays(spec: SystemSpec) -> list[str]:
    """How many of the recorded times a run to the horizon plays, where it is not all of them.

    Raises:
        ValueError: a workload of which it plays none.
    """
    if spec.workload.requests is not None:
        return []
    n_devices, horizon_s = spec.fleet.n_devices, spec.horizon_s
    parts = {load.replay_csv: replay_share(load, n_devices, horizon_s) for load in _replayed(spec)}
    return [
        f"{used:,} of {there:,} times of {path} lie within horizon_s and are played"
        for path, (used, there) in parts.items()
        if used < there
    ]


def replay_share(spec: WorkloadSpec, n_devices: int, horizon_s: float) -> tuple[int, int]:
    """How many of the recorded times lie within the horizon, and how many there are.

    Raises:
        ValueError: none does.
    """
    times = arrivals(spec, n_devices).every_s
    used = sum(time_s <= horizon_s for time_s in times)
    if not used:
        raise ValueError(
            f"workload.replay_csv needs times within horizon_s={horizon_s:g}, the first is at"
            f" {min(times):g} s in {spec.replay_csv}"
        )
    return used, len(times)


def say_arrivals(spec: SystemSpec) -> list[str]:
    """What was read of every file, in a sentence."""
    return list(
        dict.fromkeys(
            f"workload.replay_csv={load.replay_csv}: {arrivals(load, spec.fleet.n_devices).words}"
            for load in _replayed(spec)
        )
    )


def with_recorded_sizes(spec: SystemSpec, sources: Sources) -> Sources:
    """The sources, those that know sessions of any length with those of their groups' files.

    A file that is refused changes nothing here: it says so when it is played.
    """
    known = dict(sources)
    for name, group in groups_of(spec).items():
        load, own = group.workload or spec.workload, group.source or name
        sizes = _sizes(load, spec.fleet.n_devices) if load.kind == "replay" else []
        for each in (own, *group.alternatives):
            if sizes and isinstance(source := known.get(each), SizedSessions):
                known[each] = source.recorded(sizes)
    return known


def _sizes(load: WorkloadSpec, n_devices: int) -> list[Size]:
    try:
        return arrivals(load, n_devices).every_size
    except ValueError:
        return []


def say_sizes(spec: SystemSpec, sources: Sources) -> list[str]:
    """What of the recorded lengths of sessions is not played."""
    words: list[str] = []
    for name, group in groups_of(spec).items():
        load = group.workload or spec.workload
        if load.kind != "replay":
            continue
        found = arrivals(load, spec.fleet.n_devices)
        mine = [sources[each] for each in (group.source or name, *group.alternatives)]
        if found.sizes:
            words += _say_unplayed(spec, load, found, mine)
    return list(dict.fromkeys(words))


def _say_unplayed(
    spec: SystemSpec, load: WorkloadSpec, found: Arrivals, sources: Sequence[Source]
) -> list[str]:
    path = load.replay_csv
    if not all(hasattr(source, "session") for source in sources):
        return [f"the token counts of {path} are not played: these requests are no sessions"]
    terminating = spec.workload.requests is not None
    sizes = found.sizes_until(float("inf") if terminating else spec.horizon_s)
    words = []
    for source in sources:
        if isinstance(source, SizedSessions):
            continue
        prompts, most = held(source)
        if any({size.prompt_tokens} != prompts for size in sizes):
            words.append(f"the prompts of {path} are not played: those of {source.key} are")
        cut = sum(size.new_tokens > most for size in sizes)
        if cut:
            words.append(
                f"{cut:,} of {len(sizes):,} sessions of {path} end at the {most:,} tokens that"
                f" {source.key} holds"
            )
    return words


def _replayed(spec: SystemSpec) -> list[WorkloadSpec]:
    loads = [group.workload or spec.workload for group in groups_of(spec).values()]
    return [load for load in loads if load.kind == "replay"]
