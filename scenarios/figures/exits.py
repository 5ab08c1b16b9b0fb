"""Draw exit threshold against server load, accuracy and the number of devices that fit.

Requests end on the device where its early answer is surer than the threshold (scheme=early_exit).
The load is the server's seconds per request as a share of those without exits; beside it stands
1 - exit share, which it follows. N* is searched as by `plan`, within `slo`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from plots import exits
from scenarios.present.summary import Summary, between, number
from scenarios.present.table import say_scheme
from scenarios.study.figure import AUTO, produce
from scenarios.study.planned import Planned, fit, say_limit
from scenarios.sweep.axes import Point, axes_of, points
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems import build, schemed
from scenarios.systems.case import Case
from scenarios.systems.library import Library
from scenarios.systems.measured import Measured
from scenarios.systems.pace import set_pace
from scenarios.systems.plain import is_plain
from sim.specs.check import option

_ENDS = ("", "_lo", "_hi")
"""Of a share on one machine: by how much its seconds are off is the same above and below."""


@dataclass(frozen=True, kw_only=True)
class Config(Planned):
    """The figure; `sweep` holds the data and the thresholds, of which the last ends nothing."""

    cut: str = option(AUTO, "last stage on the device; auto: the scheme's own")

    def __post_init__(self) -> None:
        super().__post_init__()
        if is_plain(self):
            raise ValueError("exits needs a scheme with a gate, such as early_exit; got split")


def run(config: Config) -> int:
    """Play and plan every point, draw what the threshold trades."""
    chosen = [_place(point) for point in points(config, axes_of(config.sweep))]
    library = Library([point.config for point in chosen if not point.error])
    known = [_measure(library, point) for point in chosen]
    told = [one for one in known if isinstance(one, Measured)]
    about = [one.describe(config.device, config.server) for one in told]
    trained = {one["scheme"]["model"]: one for one in about}
    jobs = list(_jobs(chosen, known))
    draw = partial(exits.draw, title=f"{config.codec['name']}, {config.link.name}",
                   limit=f"within {say_limit(config.slo)}")  # fmt: skip
    ungated = [{k: v for k, v in one["scheme"].items() if k != "gate"} for one in trained.values()]
    where = " ".join(say_scheme({"scheme": each}).strip() for each in ungated)
    provenance = {**(about[0] if about else {}), "schemes": trained}
    summarise = partial(_summary, where)
    return produce(config, "exits", jobs, draw, summarise, provenance, finish=_with_shares)


def _place(point: Point) -> Point:
    """The point at its scheme's own cut, where none is named."""
    if point.error or point.config.cut != AUTO:
        return point
    try:
        return point._replace(config=replace(point.config, cut=schemed.make(point.config).cut))
    except ValueError as error:
        return point._replace(error=str(error))


def _measure(library: Library, point: Point) -> Measured | str:
    try:
        return point.error or library.measured(point.config)
    except ValueError as error:
        return str(error)


def _jobs(chosen: Sequence[Point], known: Sequence[Measured | str]) -> Iterator[Job]:
    for point, measured in zip(chosen, known, strict=True):
        if isinstance(measured, str):
            yield build.job(point, measured)
            continue
        config = point.config
        split = measured.split(config.cut, str(config.codec["name"]))
        paced = set_pace(config, measured, split)
        threshold = float(config.scheme.get("threshold", math.nan))
        made = build.case(paced, measured, threshold=threshold)
        job = made.job().at(point.values)
        spec = {"system": job.spec, "slo": config.slo, "plan": config.plan}
        yield replace(job, spec=repr(spec), evaluate=partial(_play, made, config))


def _play(made: Case, config: Config) -> Row:
    """The row of a fleet, and how many devices fit."""
    return {**made.play(), **fit(made, config.slo, config.plan)}


def _with_shares(rows: Sequence[Row]) -> list[Row]:
    """Every row with its server load as a share of that without exits, of the same data."""
    whole = {
        row["model"]: row["server_s_per_request"] for row in rows if row.get("exit_share") == 0.0
    }
    return [_with_share(row, whole.get(row.get("model"))) for row in rows]


def _with_share(row: Row, whole_s: float | None) -> Row:
    if row.get("error") or not whole_s:
        return dict(row)
    column = "server_s_per_request"
    shares = {
        f"server_share{end}": row[f"{column}{end}"] / whole_s
        for end in _ENDS
        if row.get(f"{column}{end}") is not None
    }
    return {**row, **shares, "sent_share": 1.0 - row["exit_share"]}


def _summary(where: str, rows: Sequence[Row]) -> Summary:
    said = []
    for model in dict.fromkeys(row["model"] for row in rows):
        here = [row for row in rows if row["model"] == model]
        late = next((row for row in here if row["exit_share"] == 0.0), here[-1])
        kept = [r for r in here if r["table_accuracy"] >= late["table_accuracy_lo"]]
        least = min(kept, key=lambda row: row["server_s_per_request"])
        said.append(
            f"{model}: threshold {least['threshold']:g} keeps the accuracy within its interval and"
            f" ends {number(100 * least['exit_share'])} % of the requests on the device, N* ="
            f" {_fits(least)} instead of {_fits(late)}"
        )
    return Summary(
        title="Early exits: what the threshold trades",
        finding=f"{'; '.join(said)}.",
        columns=("data", "threshold", "exits %", "server load, % of no exits", "right %", "N*"),
        rows=tuple(
            (row["model"], f"{row['threshold']:g}", between(row, "exit_share", 100),
             between(row, "server_share", 100), between(row, "table_accuracy", 100),
             _fits(row, interval=True))
            for row in rows
        ),
        origin=where,
    )  # fmt: skip


def _fits(row: Row, *, interval: bool = False) -> str:
    """N*, or what it is at most."""
    if row["n_star"] is None:
        return f"at most {number(row['n_bound'])}"
    return between(row, "n_star") if interval else number(row["n_star"])
