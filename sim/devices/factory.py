"""The devices of a system: each gets what its index, its group and the spec say."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

from simpy import Environment

from sim.devices.adaptive import Adaptive, policy
from sim.devices.conversation import Conversation
from sim.devices.device import Device
from sim.devices.memory import Memory
from sim.devices.policy import cost
from sim.devices.workload import WORKLOADS, life, presence
from sim.measures.meters import Meter
from sim.medium.link import Link
from sim.places import even, group_of, groups_of
from sim.server.server import Server
from sim.sources.draw import Draw
from sim.sources.sessions import mean_step
from sim.sources.source import Source, Sources
from sim.sources.training import Rounds, Trainable
from sim.specs import GroupSpec, SystemSpec, WorkloadSpec
from sim.streams import Streams


class Factory:
    """Makes the devices of one system, and starts them."""

    def __init__(
        self,
        spec: SystemSpec,
        sources: Sources,
        env: Environment,
        streams: Streams,
        link: Link,
        server: Server,
        meter: Meter,
        rounds: Mapping[int, Rounds],
    ) -> None:
        groups = groups_of(spec)
        self._spec, self._env, self._streams = spec, env, streams
        self._link, self._server, self._meter, self._rounds = link, server, meter, rounds
        self._groups = tuple(groups.values())
        self._shares = tuple(group.share for group in self._groups)
        self._memory = Memory(env, spec.server.session_memory_bytes)
        self._means: dict[tuple[int, ...], list[Draw]] = {}
        self._sources = [
            self._learned(sources_of(name, group, sources), group) for name, group in groups.items()
        ]

    def device(self, index: int) -> Device:
        """Device `index`, with its process started."""
        number = group_of(index, self._shares)
        group, streams = self._groups[number], self._streams
        workload = group.workload or self._spec.workload
        sources = self._sources[number]
        straggles = even(index, math.sqrt(3.0)) < group.straggler_share
        slowdown = group.slowdown * (group.straggler_slowdown if straggles else 1.0)
        make: Callable[..., Device] = (
            Device if not hasattr(sources[0], "session") else self._conversation(group)
        )
        device = make(
            self._env,
            index=index,
            group=number,
            spec=group,
            workload=workload,
            slowdown=slowdown,
            sources=sources,
            policy=self._policy(index, group, workload, sources, slowdown),
            rows=streams.rows(index),
            link=self._link,
            channel=self._link.channel(index, group, streams),
            server=self._server,
            retries=self._spec.server.on_failure == "retry",
            meter=self._meter,
        )
        pauses, rounds = streams.pauses(index), self._rounds.get(number)
        if group.churn is not None:
            stays = streams.stream("presence", index)
            self._env.process(presence(self._env, device, workload, pauses, group, stays, rounds))
        elif rounds is not None:
            device.spawn(life(self._env, device, workload, pauses, rounds))
        else:
            device.spawn(WORKLOADS[workload.kind](self._env, device, workload, pauses))
        return device

    def _learned(self, sources: list[Source], group: GroupSpec) -> list[Source]:
        """Sources as they are answered behind the training of their group."""
        n_rounds = (group.workload or self._spec.workload).adapt_rounds
        trained = [cast(Trainable, source) for source in sources]
        return [source.untrained(n_rounds) for source in trained] if n_rounds else sources

    def _policy(
        self,
        index: int,
        group: GroupSpec,
        workload: WorkloadSpec,
        sources: Sequence[Source],
        slowdown: float,
    ) -> Adaptive | None:
        """The policy of a device that chooses; None where its group always uses one source."""
        if group.policy == "fixed":
            return None
        server = self._spec.server
        key = tuple(map(id, sources))
        if key not in self._means:
            self._means[key] = [mean_step(source) for source in sources]
        costs = [cost(mean, slowdown=slowdown, server=server) for mean in self._means[key]]
        return policy(group, workload, costs, index)

    def _conversation(self, group: GroupSpec) -> Callable[..., Device]:
        """Makes a device that holds sessions."""
        return partial(
            Conversation,
            memory=self._memory,
            rejects=self._spec.server.admission == "reject",
            memory_bytes=group.memory_bytes,
        )


def sources_of(name: str, group: GroupSpec, sources: Sources) -> list[Source]:
    """The group's own source and its alternatives: requests all, or sessions all."""
    wanted = (group.source or name, *group.alternatives)
    for each in wanted:
        if each not in sources:
            raise ValueError(f"group {name!r} needs source {each!r}, got {', '.join(sources)}")
    usable = [sources[each] for each in wanted]
    if len({hasattr(source, "session") for source in usable}) > 1:
        raise ValueError(
            f"group {name!r} must choose among requests or among sessions,"
            f" got both in {', '.join(wanted)}"
        )
    return usable
