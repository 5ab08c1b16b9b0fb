"""Draw all schemes on one axis: the class of one digit, on one link and one server.

Each way is SCHEME/CODEC, or SCHEME/CODEC/CUT where it is not cut at its own place, or SCHEME alone
under the codec that it brings; a scheme may have options, as in sc2(method=end_to_end). At "input"
the image itself is sent, which is what every split is held against. Over the number of devices the
95th percentile of latency is drawn, at the last of them the rest; N* is searched as by `plan`,
within `slo`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from plots import schemes as drawing
from scenarios.planning.candidate import data_sizes
from scenarios.present.summary import Summary, between, number
from scenarios.study.figure import produce
from scenarios.study.planned import Planned, fit, say_limit
from scenarios.study.ways import check_ways, configure_each
from scenarios.sweep.play import Job, failing
from scenarios.sweep.store import Row
from scenarios.systems import build
from scenarios.systems.case import Case
from scenarios.systems.library import Library
from scenarios.systems.pace import set_pace
from sim.specs.check import option

CAPACITY, PLAYED = "capacity", "played"


@dataclass(frozen=True, kw_only=True)
class Config(Planned):
    """The ways that are compared, how many devices, what N* keeps."""

    ways: list[str] = option([], "what is compared: SCHEME, SCHEME/CODEC or SCHEME/CODEC/CUT each")
    task: str = option("class", "what all of them answer")
    sizes: list[int] = option([], "numbers of devices over which latency is drawn")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ways(self.ways, "schemes")
        if not self.sizes:
            raise ValueError("schemes needs sizes=[N, ...], got none")


def run(config: Config) -> int:
    """Play and plan every way, draw them side by side."""
    chosen, reasons = configure_each(config, config.ways, config.task)
    library = Library(list(chosen.values()))
    about: dict[str, Any] = {}
    jobs: list[Job] = []
    for way, one in chosen.items():
        try:
            measured = library.measured(one)
            about[way] = measured.describe(one.device, one.server)
            jobs += _jobs(config, way, one, measured)
        except ValueError as error:  # of this way alone
            reasons[way] = str(error)
    jobs += [failing(f"{w}: {why}", {"way": w, "panel": CAPACITY}) for w, why in reasons.items()]
    draw = partial(drawing.draw, title=f"{config.model.name}, {config.link.name}",
                   limit=say_limit(config.slo))  # fmt: skip
    first: dict[str, Any] = next(iter(about.values()), {})
    summarise = partial(_summary, config)
    return produce(config, "schemes", jobs, draw, summarise, {**first, "ways": about})


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
    return {**_play(made), **fit(made, config.slo, config.plan)}


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
            f" server seconds scaled (run.json). N* keeps {say_limit(config.slo)}; a dash: no"
            " number can be named (column why of results.csv)."
        ),
    )  # fmt: skip
