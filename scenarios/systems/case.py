"""Case: one system that `sim` plays, with what names it and what is known of its numbers."""

import dataclasses
import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from scenarios.shell import forks
from scenarios.shell.duration import say_duration
from scenarios.shell.schema import field_names
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.measured import Drop
from scenarios.systems.prices import Prices
from scenarios.systems.scenario import Scenario
from sim import Result, replicate, run
from sim.engine.choice import choose
from sim.medium.rates import fastest, locate
from sim.planning.forecast.work import Work, predict_work
from sim.planning.trust.finding import BAD, Finding, Trust
from sim.planning.trust.run import run_trust
from sim.sources.source import Source
from sim.specs import SystemSpec
from sim.theory.closed import bound_rps

_NOT_IDENTITY = ("name", "sweep", "columns", "workers", "dry_run", "force", "max_events", "engine")
_LOADING_S = 2.0
"""What plays takes about so long to be loaded, once in a process."""
_PATIENCE_S = 600.0
"""A point that is foreseen to take longer asks for `force`."""
_IDENTITY = [f.name for f in dataclasses.fields(Scenario) if f.name not in _NOT_IDENTITY]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A spec with its sources, ready to play.

    `labels`: the columns that say what it is; `identity` and `digests`: what its point id is made
    of; `provenance`: where every number comes from; `kinds`: resource to kind of its numbers
    (measured, scaled, modelled, assumed, random); `quality`: columns of what the codec does to the
    answers; `drop`: None where answers are not known; `prices`: of its parts, as far as they are
    stated; `memory_bytes`: what the device that holds most must hold, None where that is not known;
    `encoder_bits`: of all parameters on a device, where all do alike; `too_small`: which device
    cannot hold it, in words;
    `forced`: played however long it takes.
    """

    spec: SystemSpec
    sources: Mapping[str, Source]
    labels: Mapping[str, Any]
    identity: Any
    digests: Mapping[str, str]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    quality: Mapping[str, float] = field(default_factory=dict)
    drop: Drop | None = None
    prices: Prices = field(default_factory=Prices)
    memory_bytes: float | None = None
    encoder_bits: float | None = None
    too_small: str = ""
    largest_batch: int | None = None
    bounded: bool = False
    forced: bool = False

    def __repr__(self) -> str:
        what = " ".join(str(self.labels[name]) for name in ("model", "cut", "codec"))
        where = " -> ".join(str(self.labels[name]) for name in ("device", "link", "server"))
        return f"Case({what}: {self.spec.fleet.n_devices} x {where}, seed {self.spec.seed})"

    @property
    def words(self) -> str:
        """Cut and codec, and a scheme, as a person says them."""
        scheme = str(self.labels.get("scheme", "split"))
        return self._way if scheme == "split" else f"scheme {scheme}, {self._way}"

    @property
    def _way(self) -> str:
        cut, codec = self.labels["cut"], self.labels["codec"]
        if cut == "-":
            by_hand = self.labels["method"] == "by hand"
            return "requests that all cost the same" if by_hand else "sources of your own"
        if cut == "input":
            return f"codec {codec}, all layers on the server"
        if cut == "output":
            return "all layers on the devices"
        if any(group.alternatives for group in self.spec.fleet.groups.values()):
            return f"devices that choose among {', '.join(self.sources)}"
        each = [_add_space(one) for one in str(cut).split("+")]
        if len(each) > 1:
            return f"groups of devices, cut after {', '.join(each)}"
        return f"codec {codec} after {each[0]}"

    @property
    def engine(self) -> str:
        """What plays it; of SimPy, where it was not asked for, why."""
        name, why = choose(self.spec.engine, self.spec, self.sources)
        return f"{name}: {why}" if why else name

    @property
    def generates(self) -> bool:
        """Whether some of its requests are sessions of tokens."""
        return any(hasattr(source, "session") for source in self.sources.values())

    def result(self, workers: int = 1) -> Result:
        """All replications of the system, shared among so many copies of this process.

        Raises:
            ValueError: more work than is played without being `forced`.
        """
        if refusal := self.refusal():
            raise ValueError(refusal)
        if workers == 1:
            return replicate(self.spec, self.sources)

        def play(tasks: Iterable[Callable[[], Any]]) -> list[Any]:
            first, *rest = tasks  # what is loaded for the first, all have
            return [first(), *forks.play(rest, workers, lambda result: result)]

        return replicate(self.spec, self.sources, play=play)

    @property
    def work(self) -> Work:
        """The events and seconds of its replications, foreseen without playing one."""
        return predict_work(self.spec, self.sources)

    def foresee_s(self) -> float:
        """CPU seconds of a point, foreseen without playing anything."""
        return self.work.seconds

    def refusal(self) -> str:
        """Why it is not played unless `forced`; nothing where that is a matter of minutes."""
        return "" if self.forced else refuse_work(self.work, self.spec.max_events)

    def play(self, workers: int = 1) -> Row:
        """The metrics of all replications, and what the codec does to the answers."""
        row = row_of(self.result(workers))
        if self.bounded and fastest(self.spec.link) <= 1.0:
            limit = bound_rps(self.spec, row)
            if not math.isnan(limit):
                row["throughput_bound_rps"] = limit
        return {**row, **self.quality, **self.prices.per_device_month(self.spec)}

    def job(self, *, graded: bool = False) -> Job:
        """The point of a sweep; `graded`: its row says, too, how far to believe it."""
        return Job(
            spec=self.identity,
            digests=dict(self.digests),
            labels=dict(self.labels),
            evaluate=_Whole(self, graded),
            seconds=self.estimate_s,
            foreseen=self.foresee_s,
            refusal=self.refusal,
            engine=self.engine,
        )

    def trust(self, row: Row) -> Trust:
        """How far to believe a row of it."""
        trust = run_trust(
            self.spec,
            self.sources,
            {name: math.nan if value is None else value for name, value in row.items()},
            (),  # a law that does not hold has already ended the run
            warnings=[row["warning"]] if row.get("warning") else [],
            largest_batch=self.largest_batch,
            kinds=self.kinds,
        )
        return self.weigh_memory(trust)

    def weigh_memory(self, trust: Trust) -> Trust:
        """A judgement with what the devices cannot hold."""
        if not self.too_small:
            return trust
        found = Finding(name="memory", verdict=BAD, words=self.too_small)
        return replace(trust, findings=(*trust.findings, found))

    def estimate_s(self) -> float:
        """CPU seconds of a point, from one of its replications; bootstraps double them. What would
        take many minutes is foreseen, not played.
        """
        work = self.work
        if refuse_work(work, self.spec.max_events):
            return work.seconds
        once = self._time_once()
        if once < _LOADING_S:  # some of it was loading what plays
            once = min(once, self._time_once())
        return once * self.spec.replications * (2 if self.spec.replications > 1 else 1)

    def _time_once(self) -> float:
        start = time.process_time()
        run(self.spec, self.sources, replication=0)
        return time.process_time() - start


def refuse_work(work: Work, max_events: int) -> str:
    """Why so much work is not played unasked; nothing where it is little."""
    ends_early = work.events > max_events
    if work.seconds <= _PATIENCE_S and not ends_early:
        return ""
    above = f", above max_events={max_events}" if ends_early else ""
    runs = f"each of {work.runs} runs" if work.runs > 1 else "its run"
    return (
        f"{work.events:.2g} events are foreseen in {runs}{above}, about"
        f" {say_duration(work.seconds)} in all on one core; lower fleet.n_devices, the rate of"
        f" requests or horizon_s{', raise max_events' if ends_early else ''}, or set force=true"
    )


@dataclass(frozen=True)
class _Whole:
    """What makes the row of a case; `graded`: with the grade of its trust, and its cautions."""

    case: Case
    graded: bool

    def __call__(self) -> Row:
        return self.by(1)

    def by(self, workers: int) -> Row:
        """The same row, by so many processes (`sweep.play.Shared`)."""
        row = self.case.play(workers)
        if not self.graded:
            return row
        trust = self.case.trust(row)
        return {**row, "grade": trust.grade, "cautions": trust.cautions}


def row_of(result: Result) -> Row:
    """The metrics of a played system, with what must be said of them.

    Raises:
        AssertionError: a law that every run must obey does not hold.
    """
    if result.failed_checks:
        raise AssertionError(f"laws that do not hold: {', '.join(result.failed_checks)}")
    row: Row = dict(result.row())
    if result.warnings:
        row["warning"] = "; ".join(result.warnings)
    return row


def identify(scenario: Scenario) -> dict[str, Any]:
    """What of a scenario names its point: everything but the folder and the way of playing."""
    return {name: _plain(getattr(scenario, name)) for name in _IDENTITY}


def _plain(value: Any) -> Any:
    """JSON of nested specs, without the copies that dataclasses.asdict makes."""
    kind: Any = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {key: _plain(inner) for key, inner in value.items()}
    return {name: _plain(getattr(value, name)) for name in field_names(kind)} or value


_SCALARS = frozenset((float, int, str, bool, type(None)))


def file_digests(scenario: Scenario) -> dict[str, str]:
    """Content hashes of the files that a spec names: another content is another point."""
    loads = {"workload": scenario.workload}
    loads |= {k: g.workload for k, g in scenario.fleet.groups.items() if g.workload is not None}
    paths = {f"{key}.replay_csv": load.replay_csv for key, load in loads.items()}
    files: dict[str, Traversable] = {key: Path(path) for key, path in paths.items() if path}
    sheets = {"device": scenario.device, "server": scenario.server}
    files |= {f"{k}.profile": Path(sheet.profile) for k, sheet in sheets.items() if sheet.profile}
    if scenario.link.rate_csv:
        files["link.rate_csv"] = locate(scenario.link.rate_csv)
    if scenario.server.service_csv:
        files["server.service_csv"] = Path(scenario.server.service_csv)
    return {
        key: hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for key, file in files.items()
        if file.is_file()
    }


def _add_space(cut: str) -> str:
    """`stage3` as `stage 3`."""
    letters = cut.rstrip("0123456789")
    return f"{letters.rstrip('.')} {cut[len(letters) :]}" if letters != cut and letters else cut
