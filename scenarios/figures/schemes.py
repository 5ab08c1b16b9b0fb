"""Draw all schemes on one axis: the class of one digit, on one link and one server.

Each way is SCHEME/CODEC, or SCHEME/CODEC/CUT where it is not cut at its own place, or SCHEME alone
under the codec that it brings; a scheme may have options, as in sc2(method=end_to_end). At "input"
the image itself is sent, which is what every split is held against. Over the number of devices the
95th percentile of latency is drawn, at the last of them the rest; N* is searched as by `plan`,
within `slo`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import yaml  # type: ignore[import-untyped]

from plots import schemes as drawing
from scenarios.planning.candidate import data_sizes
from scenarios.present.summary import Summary, between, number
from scenarios.study.figure import AUTO, produce
from scenarios.sweep.axes import axes_of, keep, points
from scenarios.sweep.play import Job, failing
from scenarios.sweep.store import Row
from scenarios.systems import build, schemed
from scenarios.systems.case import Case
from scenarios.systems.library import Library
from scenarios.systems.pace import set_pace
from scenarios.systems.system import System
from sim.planning.forecast.bounds import bound
from sim.planning.limits.budget import Budget, Refusal
from sim.planning.limits.slo import Slo
from sim.planning.search.capacity import capacity
from sim.specs.check import above, option

CAPACITY, PLAYED = "capacity", "played"


@dataclass(frozen=True, kw_only=True)
class Config(System):
    """The ways that are compared, how many devices, what N* keeps."""

    ways: list[str] = option([], "what is compared: SCHEME, SCHEME/CODEC or SCHEME/CODEC/CUT each")
    task: str = option("class", "what all of them answer")
    sizes: list[int] = option([], "numbers of devices over which latency is drawn")
    slo: Slo = field(default_factory=lambda: Slo(p95_s=0.1))
    plan: Budget = field(default_factory=Budget)
    span_s: float = option(60.0, "device-seconds per run: N devices play span_s / N or more")
    cycles: float = option(8.0, "least length of a run, in cycles of a device")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.ways or not self.sizes:
            raise ValueError("schemes needs ways=[SCHEME/CODEC, ...] and sizes=[N, ...]")
        for way in self.ways:
            if way.count("/") > 2:
                raise ValueError(
                    f"ways must be SCHEME, SCHEME/CODEC or SCHEME/CODEC/CUT each, got {way!r}"
                )
        above("span_s", self.span_s, 0)
        above("cycles", self.cycles, 0)
        self.slo.check_any()


def run(config: Config) -> int:
    """Play and plan every way, draw them side by side."""
    chosen = {way: _configure(config, way) for way in config.ways}
    sound = {way: one for way, one in chosen.items() if not isinstance(one, str)}
    library = Library(list(sound.values()))
    about: dict[str, Any] = {}
    jobs: list[Job] = []
    for way, one in chosen.items():
        try:
            if isinstance(one, str):
                raise ValueError(one)
            measured = library.measured(one)
            about[way] = measured.describe(one.device, one.server)
            jobs += _jobs(config, way, one, measured)
        except ValueError as error:  # of this way alone
            jobs.append(failing(f"{way}: {error}", {"way": way, "panel": CAPACITY}))
    limit = " and ".join(map(str, config.slo.goals))
    draw = partial(drawing.draw, title=f"{config.model.name}, {config.link.name}", limit=limit)
    first: dict[str, Any] = next(iter(about.values()), {})
    summarise = partial(_summary, config)
    return produce(config, "schemes", jobs, draw, summarise, {**first, "ways": about})


def _configure(config: Config, way: str) -> Any:
    """The configuration of one way, at its cut; or why it is none."""
    whole, *named = way.split("/")
    name, _, options = whole.rstrip(")").partition("(")
    axes = [f"{key}={one}" for key, one in zip(("codec", "cut"), named, strict=False)]
    (point,) = points(config, keep("model", axes_of([f"scheme={name}", *axes])))
    if point.error:
        return point.error
    try:
        own = schemed.answer_task(_with_options(point.config, options), config.task)
        return own if own.cut != AUTO else replace(own, cut=schemed.make(own).cut)
    except ValueError as error:
        return str(error)


def _with_options(config: Any, text: str) -> Any:
    """A configuration whose scheme has these options, "key=value, ..."."""
    given = dict(one.strip().split("=", 1) for one in text.split(",") if one.strip())
    read = {key: yaml.safe_load(value) for key, value in given.items()}
    return replace(config, scheme={**config.scheme, **read})


def _jobs(config: Config, way: str, one: Any, measured: Any) -> Iterator[Job]:
    split = measured.split(one.cut, str(one.codec["name"]))
    for n in config.sizes:
        sized = replace(one, fleet=replace(one.fleet, n_devices=n))
        made = build.case(set_pace(sized, measured, split), measured, way=way, panel=PLAYED)
        job = made.job()
        evaluate = partial(_play, made)
        if n == config.sizes[-1]:
            spec = repr({"system": job.spec, "slo": config.slo, "plan": config.plan})
            job, evaluate = replace(job, spec=spec), partial(_plan, made, config)
        yield replace(job, evaluate=evaluate)


def _play(made: Case) -> Row:
    return {**made.play(), "encoder_bits": made.encoder_bits, **data_sizes(made)}


def _plan(made: Case, config: Config) -> Row:
    """The row of the largest fleet, and how many devices fit; or why nobody can say."""
    row = {**_play(made), "n_bound": bound(made.spec, made.sources, config.slo.goals)}
    try:
        found = capacity(made.spec, made.sources, config.slo.goals, budget=config.plan)
    except Refusal as refusal:
        return {**row, "n_star": None, "n_star_lo": None, "n_star_hi": None, "why": str(refusal)}
    return {**row, "n_star": found.n_star, "n_star_lo": found.n_star_lo,
            "n_star_hi": found.n_star_hi, "why": ""}  # fmt: skip


def _summary(config: Config, rows: Sequence[Row]) -> Summary:
    last = [row for row in rows if row.get("n_devices") == config.sizes[-1]]
    known = [row for row in last if row.get("n_star") is not None]
    best = max(known, key=lambda row: row["n_star"], default=None)
    sharpest = max(last, key=lambda row: row["table_accuracy"])
    words = f"{sharpest['way']} answers best ({100 * sharpest['table_accuracy']:.1f} %)"
    if best:
        words += (
            f"; most devices fit with {best['way']} ({number(best['n_star'])},"
            f" {100 * best['table_accuracy']:.1f} % right)"
        )
    cells = tuple(
        (row["way"], between(row, "table_accuracy", 100.0), between(row, "n_star"),
         number(row["payload_bytes"]), number(row["encoder_bits"] / 1e3),
         number(1e3 * row["device_service_s"]), number(1e6 * row["server_s_per_request"]),
         between(row, "latency_p95_s", 1e3))
        for row in last
    )  # fmt: skip
    return Summary(
        title=f"All schemes on one axis: {config.task} of {config.model.name}",
        finding=words + ".",
        columns=("way", "accuracy %", "N*", "bytes", "encoder kbit", "device ms", "server us",
                 f"p95 ms at {config.sizes[-1]}"),
        rows=cells,
        origin=(
            "Weights trained here, payloads and answers measured on test samples, device and"
            f" server seconds scaled (run.json). N* keeps"
            f" {' and '.join(map(str, config.slo.goals))}; a dash: no number can be named (column"
            " why of results.csv)."
        ),
    )  # fmt: skip
