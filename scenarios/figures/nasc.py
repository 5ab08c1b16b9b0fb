"""Draw which architecture and cut NASC finds as more devices share the link and the server.

The limit is on the mean latency of a request. By the formula a device has its N-th part of the
link's rate for itself and the server is free; by the simulator N devices in a closed loop share
both, so that they wait for each other but not all send at once. What each of them finds is played
again, longer and with other seeds: both must keep the limit there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial

from plots import nasc as drawing
from profiles.schemes import nasc
from profiles.schemes.blocks import ComputedCosts, MeasuredCosts, Parts, measure
from profiles.schemes.blocks import Row as Block
from profiles.schemes.supernet import Architecture, Space
from scenarios.present.summary import Summary, between, number
from scenarios.study.figure import produce
from scenarios.sweep.play import Job
from scenarios.sweep.rows import Rows
from scenarios.sweep.store import Row
from scenarios.systems.case import row_of
from sim import (
    ConstantSource,
    FleetSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
    replicate,
)  # fmt: skip
from sim import (
    run as play,
)
from sim.engine.choice import AUTO, ENGINES
from sim.specs.check import above, at_least, one_of, option

FORMULA, SIMULATOR = "formula", "simulator"
COUNTED, MEASURED = "counted", "measured"
_SEEDS_APART = 1000


@dataclass(frozen=True, kw_only=True)
class Config(Rows):
    """The fleets, the machines and the limit."""

    model: str = option("digits", "data set of the scheme nasc: digits or scenes16")
    n_devices: list[int] = field(default_factory=lambda: [1, 4, 16, 64, 128, 256])
    limit_s: float = option(0.012, "on the mean latency of a request", unit="s")
    device_mac_per_s: float = option(20e6, "multiply-adds per second of a device")
    server_mac_per_s: float = option(2e9, "those of the server")
    blocks: str = option(
        COUNTED, "seconds of a block: counted (multiply-adds) or measured here, each by itself"
    )
    device_slowdown: float = option(50.0, "of measured blocks: the device against this machine")
    server_speed: float = option(1.0, "of measured blocks: the server against this machine")
    rate_bps: float = option(2e6, "of the link that all share", unit="bit/s")
    think_s: float = option(0.1, "mean pause of a device between answer and request", unit="s")
    answers: int = option(1500, "answers simulated for one candidate; ten times that at the end")
    replications: int = option(5, "replications of what was found")
    seed: int = option(0, "seed of the search and of the simulations")
    engine: str = option(AUTO, "what plays: auto (compiled), simpy, compiled")

    def __post_init__(self) -> None:
        super().__post_init__()
        nasc.setup(self.model)
        one_of("blocks", self.blocks, (COUNTED, MEASURED))
        one_of("engine", self.engine, ENGINES)
        for name in ("limit_s", "device_slowdown", "server_speed"):
            above(name, getattr(self, name), 0)
        at_least("answers", self.answers, 100)
        at_least("replications", self.replications, 2)
        for n in self.n_devices or [0]:
            at_least("n_devices", n, 1)

    def costs(self, rate_bps: float) -> ComputedCosts | MeasuredCosts:
        """What blocks cost at these speeds."""
        space = nasc.setup(self.model).space
        if self.blocks == MEASURED:
            return MeasuredCosts(
                space=space, table=_table(space), device_slowdown=self.device_slowdown,
                server_speed=self.server_speed, rate_bps=rate_bps,
            )  # fmt: skip
        return ComputedCosts(
            space=space, device_mac_per_s=self.device_mac_per_s,
            server_mac_per_s=self.server_mac_per_s, rate_bps=rate_bps,
        )  # fmt: skip

    @property
    def said(self) -> str:
        """Where the seconds come from, in words."""
        if self.blocks == MEASURED:
            return (
                f"measured here block by block, times {number(self.device_slowdown)} on the device"
                f" and over {number(self.server_speed)} on the server"
            )
        speeds = (number(v / 1e6) for v in (self.device_mac_per_s, self.server_mac_per_s))
        return f"modelled, multiply-adds at {' and '.join(speeds)} million a second"


@cache
def _table(space: Space) -> dict[Block, float]:
    return measure(space)


class SimulatedCosts:
    """Mean latency of N devices that share link and server, played for each candidate once."""

    def __init__(self, config: Config, n_devices: int) -> None:
        self._config, self._n = config, n_devices
        self._costs = config.costs(config.rate_bps)
        self._played: dict[Parts, float] = {}

    def seconds(self, one: Architecture, cut: str) -> float:
        """Of a request, waits included."""
        parts = self._costs.parts(one, cut)
        if parts not in self._played:
            spec = system(self._config, self._n, parts, self._config.answers)
            found = play(spec, sources(parts))
            self._played[parts] = found.estimates["latency_mean_s"].mean
        return self._played[parts]


def run(config: Config) -> int:
    """Search at every number of devices both ways, play what was found, draw it over N."""
    title = f"{config.model}, mean latency below {number(1e3 * config.limit_s)} ms"
    draw = partial(drawing.draw, title=title, limit_s=config.limit_s)
    about = {"scheme": "nasc", "seconds": config.said}
    return produce(config, "nasc", list(_jobs(config)), draw, partial(_summary, config), about)


def system(config: Config, n_devices: int, parts: Parts, n_answers: int) -> SystemSpec:
    """N devices in a closed loop, as long as so many answers take at most."""
    alone_s = parts.head_s + 8.0 * parts.n_bytes / config.rate_bps + parts.tail_s
    busiest_s = max(8.0 * parts.n_bytes / config.rate_bps, parts.tail_s)
    horizon_s = n_answers * max(busiest_s, (config.think_s + alone_s) / n_devices)
    return SystemSpec(
        link=LinkSpec(sharing="ps", rate_bps=config.rate_bps, rtt_s=0.0, header_bytes=0),
        server=ServerSpec(),
        fleet=FleetSpec(n_devices=n_devices),
        workload=WorkloadSpec(kind="closed", think_s=config.think_s, think="exponential"),
        horizon_s=horizon_s,
        warmup_s=0.1 * horizon_s,
        replications=config.replications,
        seed=config.seed,
        max_events=10**9,
        engine=config.engine,
    )


def sources(parts: Parts) -> dict[str, ConstantSource]:
    """Requests that all ask for the same."""
    return {
        "default": ConstantSource(
            device_s=parts.head_s, payload_bytes=float(parts.n_bytes), server_s=parts.tail_s
        )
    }


def _jobs(config: Config) -> Iterator[Job]:
    for n in config.n_devices:
        for evaluator in (FORMULA, SIMULATOR):
            yield Job(
                spec={"n_devices": n, "evaluator": evaluator, **_what(config)},
                digests={"weights": nasc.setup(config.model).recipe.digest},
                labels={"n_devices": n, "evaluator": evaluator, "model": config.model},
                evaluate=partial(_evaluate, config, n, evaluator),
            )


def _what(config: Config) -> Row:
    left_out = ("name", "columns", "workers", "dry_run", "force", "engine", "n_devices")
    return {key: value for key, value in asdict(config).items() if key not in left_out}


def _evaluate(config: Config, n_devices: int, evaluator: str) -> Row:
    formula = config.costs(config.rate_bps / n_devices)
    costs = formula if evaluator == FORMULA else SimulatedCosts(config, n_devices)
    one, cut = nasc.find(config.model, costs, config.limit_s, seed=config.seed)
    parts = formula.parts(one, cut)
    spec = system(config, n_devices, parts, 10 * config.answers)
    again = SystemSpec(**{**vars(spec), "seed": config.seed + _SEEDS_APART})
    return {
        "architecture": str(one), "cut": cut,
        "accuracy": nasc.checked(config.model)[one],
        "predicted_s": costs.seconds(one, cut), "payload_bytes": parts.n_bytes,
        "head_s": parts.head_s, "tail_s": parts.tail_s,
        **row_of(replicate(again, sources(parts))),
        "accuracy_checked": nasc.checked(config.model)[one],
    }  # fmt: skip


def _summary(config: Config, rows: Sequence[Row]) -> Summary:
    kept = sum(row["latency_mean_s"] <= config.limit_s for row in rows)
    ways = {name: [r for r in rows if r["evaluator"] == name] for name in (FORMULA, SIMULATOR)}
    ends = [
        f"by the {name} {100 * each[0]['accuracy_checked']:.1f} % at N = {each[0]['n_devices']}"
        f" ({each[0]['architecture']} at {each[0]['cut']}) becomes"
        f" {100 * each[-1]['accuracy_checked']:.1f} % at {each[-1]['n_devices']}"
        f" ({each[-1]['architecture']} at {each[-1]['cut']})"
        for name, each in ways.items()
        if each
    ]
    cells = tuple(
        (str(r["n_devices"]), r["evaluator"], r["architecture"], r["cut"],
         f"{100 * r['accuracy_checked']:.1f}", str(r["payload_bytes"]),
         number(1e3 * r["head_s"]), number(1e3 * r["predicted_s"]),
         between(r, "latency_mean_s", 1e3), number(1e3 * r["latency_p95_s"]))
        for r in rows
    )  # fmt: skip
    return Summary(
        title="NASC: architecture and cut over the number of devices",
        finding=(
            f"Under {number(1e3 * config.limit_s)} ms {'; '.join(ends)};"
            f" {kept} of {len(rows)} keep the limit when they are played."
        ),
        columns=("N", "evaluator", "architecture", "cut", "accuracy %", "bytes", "head ms",
                 "foreseen ms", "mean ms", "p95 ms"),
        rows=cells,
        origin=(
            f"Weights trained here on {nasc.setup(config.model).data.said}, accuracy on validation"
            f" samples; seconds {config.said}."
        ),
    )  # fmt: skip
