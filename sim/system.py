"""build(spec) makes the model, run(spec) plays it once (replicate.py: many times)."""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from types import MappingProxyType
from typing import NamedTuple

from simpy import Environment, Event

from sim.clock import Clock
from sim.devices.adaptive import Adaptive
from sim.devices.conversation import Conversation
from sim.devices.device import Device
from sim.devices.factory import Factory
from sim.devices.replay import say_replays, say_sizes
from sim.devices.training import rounds_of
from sim.engine.choice import COMPILED, choose
from sim.measures.cautions import cautions
from sim.measures.columns import group_columns, measure
from sim.measures.decisions import decision_columns
from sim.measures.energy import energy_columns
from sim.measures.laws import checks
from sim.measures.meters import Book, Meter, Snapshot
from sim.measures.quantiles import observe_quantiles
from sim.measures.result import Estimate, Result
from sim.measures.saturation import judge, load
from sim.measures.training import training_columns
from sim.medium.link import Link
from sim.medium.rates import trace_of
from sim.medium.speeds import Speeds, speeds_of, trace_share
from sim.places import groups_of
from sim.server.server import PlainServer, QueueServer, Server
from sim.sources.source import Source, Sources
from sim.sources.training import Rounds
from sim.specs import ServerSpec, SystemSpec
from sim.streams import Stream, Streams


@dataclass(frozen=True, kw_only=True)
class System:
    """A model that is ready to run."""

    spec: SystemSpec
    env: Environment
    link: Link
    server: Server
    devices: tuple[Device, ...]
    meter: Meter
    unplayed: tuple[str, ...] = ()
    rounds: Mapping[int, Rounds] = field(default_factory=dict)

    def __repr__(self) -> str:
        meter = self.meter
        return (
            f"System({len(self.devices)} devices, seed {self.spec.seed}, {self.env.now:.4g} s:"
            f" {meter.n_arrived} requests arrived, {meter.n_left} left)"
        )

    def snapshot(self) -> Snapshot:
        """All counters at this instant."""
        busy_s = [device.processor.busy_s() for device in self.devices]
        deciding = [d.policy for d in self.devices if isinstance(d.policy, Adaptive)]
        return Snapshot(
            time_s=self.env.now,
            n_arrived=self.meter.n_arrived,
            n_left=self.meter.n_left,
            arrival_sum_s=self.meter.arrival_sum_s,
            left_sum_s=self.meter.left_sum_s,
            server_busy_s=self.server.busy_s(),
            decoder_busy_s=self.server.decoder.busy_s() if self.server.decoder else nan,
            link_busy_s=self.link.busy_s(),
            device_busy_s=math.fsum(busy_s) / len(busy_s),
            device0_busy_s=busy_s[0],
            present_s=self._present_s(),
            n_changes=sum(each.n_changes for each in deciding),
            n_probes=sum(each.n_probes for each in deciding),
        )

    def _present_s(self) -> tuple[float, ...]:
        """Seconds in which the devices of each group were there."""
        seconds = [0.0] * len(groups_of(self.spec))
        for device in self.devices:
            seconds[device.group] += device.present_s()
        return tuple(seconds)


def build(
    spec: SystemSpec, sources: Sources, replication: int = 0, *, explicit: bool = False
) -> System:
    """The model of `spec`, with its processes started and the clock at 0.

    `explicit` holds explicit queues even where arithmetic would do (to compare the two).

    Raises:
        ValueError: a group whose source is not among `sources`.
    """
    env = Environment()
    streams = Streams(spec.seed, replication)
    server: PlainServer | QueueServer
    if spec.server.plain and not spec.fleet.churns and not explicit:
        server = PlainServer(env, spec.server)
    else:
        varies = spec.server.service_law == "empirical"
        server = QueueServer(env, spec.server, streams.stream("service") if varies else None)
        if spec.server.fails:
            env.process(breakdowns(env, server, spec.server, streams.stream("failures")))
    link = Link(
        env,
        spec.link,
        streams,
        explicit=explicit or spec.interruptible,
        speeds=speeds_of(spec, streams),
    )
    meter = Meter(
        env,
        n_devices=spec.fleet.n_devices,
        target=spec.workload.requests,
        everyone=spec.workload.until_all,
    )
    rounds = rounds_of(spec, sources)
    factory = Factory(spec, sources, env, streams, link, server, meter, rounds)
    say_replays(spec)  # refuses one without a time within the horizon
    devices = tuple(factory.device(index) for index in range(spec.fleet.n_devices))
    return System(
        spec=spec, env=env, link=link, server=server, devices=devices, meter=meter,
        unplayed=tuple(say_sizes(spec, sources)), rounds=rounds,
    )  # fmt: skip


def breakdowns(
    env: Environment, server: QueueServer, spec: ServerSpec, stream: Stream
) -> Generator[Event, object, None]:
    """Fail and repair the server, at given times or after exponential times of service."""
    planned = iter(spec.fail_at_s)
    while True:
        if spec.mean_up_s is not None:
            yield env.timeout(stream.exponential(spec.mean_up_s))
        else:
            due_s = next(planned, None)
            if due_s is None:
                return
            yield env.timeout(max(0.0, due_s - env.now))
        server.fail()
        yield env.timeout(spec.repair_s)
        server.repair()


class Played(NamedTuple):
    """What a run leaves: its book, and when device 0 and every device had reached the target; the
    sources and the speeds that were played, and what was not; the training of every group.
    """

    book: Book
    target_s: float
    all_s: float
    sources: Sequence[Source]
    speeds: Speeds | None
    unplayed: Sequence[str]
    rounds: Mapping[int, Rounds] = MappingProxyType({})


def run(spec: SystemSpec, sources: Sources, *, replication: int = 0) -> Result:
    """One run. Its estimates are points without intervals; its records are kept."""
    if choose(spec.engine, spec, sources)[0] == COMPILED:
        return _assess(spec, _play_compiled(spec, sources, replication))
    return play(build(spec, sources, replication))


def play(system: System) -> Result:
    """Run a system that was built to its end and measure it."""
    spec, env, meter = system.spec, system.env, system.meter
    clock = Clock(env, spec, meter)
    ends = spec.workload.requests is not None
    if spec.warmup_s > 0.0 and not ends:
        clock.run_to(spec.warmup_s)
    begin = system.snapshot()
    if ends:
        reached = clock.run_until(meter.target_reached)
        _check_end(spec, "device 0", env.now, reached)
    else:
        clock.run_to(spec.horizon_s)
    book = _book(system, begin)
    if spec.workload.until_all:
        reached = clock.run_until(meter.all_reached)
        _check_end(spec, "every device", env.now, reached)
    used = {id(each): each for device in system.devices for each in device.sources}
    played = Played(
        book, meter.target_s, meter.all_s, tuple(used.values()), system.link.speeds,
        system.unplayed, system.rounds,
    )  # fmt: skip
    return _assess(spec, played)


def _play_compiled(spec: SystemSpec, sources: Sources, replication: int) -> Played:
    """The same by the compiled engine."""
    from sim.engine.layout import ON_ALL, ON_TARGET
    from sim.engine.run import Run  # numba: who only looks at a spec does without

    running = Run(spec, sources, replication)
    ends = spec.workload.requests is not None
    if spec.warmup_s > 0.0 and not ends:
        running.run_to(spec.warmup_s)
    begin = running.snapshot()
    if ends:
        reached = running.run_until(ON_TARGET)
        _check_end(spec, "device 0", running.now_s, reached)
    else:
        running.run_to(spec.horizon_s)
    book = running.book(begin)
    if spec.workload.until_all:
        reached = running.run_until(ON_ALL)
        _check_end(spec, "every device", running.now_s, reached)
    return Played(
        book,
        running.target_s,
        running.all_s,
        running.sources,
        running.speeds,
        say_sizes(spec, sources),
    )


def _assess(spec: SystemSpec, played: Played) -> Result:
    """Every column of a run, its laws and what must be said of it."""
    book, workload = played.book, spec.workload
    groups = tuple(groups_of(spec))
    seen = observe_quantiles(book, groups)
    values = measure(book, seen["latency_p95_s"].of_answers)
    values |= group_columns(book, groups, values["throughput_rps"])
    values |= {name: each.quantile for name, each in seen.items()}
    values |= decision_columns(spec, book)
    values |= _trace_columns(spec, played.speeds, book)
    values |= training_columns(spec, book, played.rounds)
    values["device_time_s"] = played.target_s if workload.requests is not None else nan
    values |= energy_columns(spec, book)
    laws = checks(book, spec.server.n_gpus)
    values["device_time_all_s"] = played.all_s if workload.until_all else nan
    carried = load(spec, book, values["dropped_share"] > 0.0)
    judgement = judge(spec, [carried])
    said = [judgement.warning, *cautions(values), _unknown_answers(spec, played.sources, values)]
    said += [*say_replays(spec), *played.unplayed]
    return Result(
        spec=spec,
        estimates={name: Estimate(mean=value) for name, value in values.items()},
        checks=laws,
        warnings=tuple(word for word in said if word),
        saturated=judgement.saturated,
        load=carried,
        book=book,
        seen=seen,
    )


def _book(system: System, begin: Snapshot) -> Book:
    """What the run has left so far."""
    meter = system.meter
    return Book(
        records=meter.records(),
        steps=meter.steps(),
        in_flight=meter.in_flight(),
        steps_in_flight=meter.steps_in_flight(),
        begin=begin,
        end=system.snapshot(),
        speeds=tuple(system.link.speeds.until(system.env.now)) if system.link.speeds else (),
        rounds=meter.rounds(),
        rounds_in_flight=meter.rounds_in_flight(),
        has_sessions=any(isinstance(device, Conversation) for device in system.devices),
    )


def _trace_columns(spec: SystemSpec, played: Speeds | None, book: Book) -> dict[str, float]:
    """How much of a rate trace was played, and its mean factor, both within the window; of one of
    rates the mean rate.
    """
    link = spec.link
    if not link.rate_csv or played is None:
        return {}
    mean = played.mean(book.begin.time_s, book.end.time_s)
    columns = {"trace_played_share": trace_share(link, book.length_s), "trace_factor_mean": mean}
    if trace_of(link).rate_bps is not None:
        columns["trace_rate_mean_bps"] = mean * link.rate_bps
    return columns


def _unknown_answers(
    spec: SystemSpec, sources: Sequence[Source], values: dict[str, float]
) -> str:  # fmt: skip
    """Blank the accuracy where payloads arrive damaged and no source knows what that does."""
    link = spec.link
    if not link.damages or math.isnan(values["accuracy"]):
        return ""
    if all(getattr(source, "channel", None) is not None for source in sources):
        return ""
    values["accuracy"] = nan
    return (
        f"accuracy is not known: link.transport={link.transport} damages payloads, and the trace"
        " has no answers over such a channel"
    )


def _check_end(spec: SystemSpec, who: str, now_s: float, reached: bool) -> None:
    """Refuse a workload that ends before its target, or takes no time."""
    wanted = spec.workload.requests
    if not reached:
        raise ValueError(
            f"workload.requests must be reached by {who}, got {wanted}, and"
            f" nothing more happens after {now_s:g} s"
        )
    if now_s == 0.0:
        raise ValueError(
            f"workload.requests must take time, got {wanted} that {who} was rid of at 0 s"
        )
