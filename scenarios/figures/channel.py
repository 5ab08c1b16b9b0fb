"""Draw what ways to split are worth on a link that flips bits or loses segments.

Every way is played twice on the same link: `exact`, frames sent again until all is right or
`link.max_retries` is reached, and, where its codec bears damage, once over the air: with flipped
bits over `bit_error_rates`, without lost segments (frames of `link.mtu_bytes`) over `loss_rates`.
Drawn are the share of requests that get the right answer (what is lost gets none), the airtime of a
request, and N* as by `plan`, within `slo` and `least_right`. Ways are written as in `schemes`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

from plots import channel
from scenarios.planning.candidate import data_sizes
from scenarios.present.summary import Summary, between, number
from scenarios.study.channels import (
    EXACT,
    Point,
    check_link,
    check_rates,
    points,
    say_load,
    share_right,
)
from scenarios.study.figure import produce
from scenarios.study.planned import Planned, fit, say_limit
from scenarios.study.ways import check_ways, configure_each
from scenarios.sweep.play import Job, failing, left_out
from scenarios.sweep.store import Row
from scenarios.systems import build
from scenarios.systems.case import Case
from scenarios.systems.library import Library
from scenarios.systems.measured import Measured
from scenarios.systems.pace import set_pace
from sim.specs.check import option, within

_FITS = ("n_star", "n_star_lo", "n_star_hi", "n_bound", "why")


@dataclass(frozen=True, kw_only=True)
class Config(Planned):
    """The ways that are compared, and the rates at which the link damages what they send."""

    ways: list[str] = option([], "what is compared: SCHEME, SCHEME/CODEC or SCHEME/CODEC/CUT each")
    task: str = option("class", "what all of them answer")
    bit_error_rates: list[float] = option([], "shares of bits that are flipped, ascending")
    loss_rates: list[float] = option([], "shares of segments that are lost, ascending")
    least_right: float = option(0.0, "share of requests that must get the right answer; N* is 0"
                                " below")  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        check_ways(self.ways, "channel")
        check_rates("bit_error_rates", "bit_error_rate", self.bit_error_rates)
        check_rates("loss_rates", "frame_error_rate", self.loss_rates)
        if not self.bit_error_rates and not self.loss_rates:
            raise ValueError("channel needs bit_error_rates=[...] or loss_rates=[...], got neither")
        within("least_right", self.least_right, 0.0, 1.0)

    @property
    def points(self) -> list[Point]:
        """All rates, delivered damaged and sent again."""
        swept = {"bit_error_rate": self.bit_error_rates, "frame_error_rate": self.loss_rates}
        return [at for axis, rates in swept.items() for at in points(axis, rates)]


def run(config: Config) -> int:
    """Play and plan every way at every rate, draw both transports side by side."""
    check_link(config.link)  # here: every point's own link is another one
    chosen, reasons = configure_each(config, config.ways, config.task)
    library = Library([at.of(one) for one in chosen.values() for at in config.points])
    about: dict[str, Any] = {}
    jobs: list[Job] = []
    for way, one in chosen.items():
        try:
            measured = library.measured(config.points[-1].of(one))  # the last one is exact
            about[way] = measured.describe(one.device, one.server)
            jobs += _jobs(config, way, one, library)
        except ValueError as error:  # of this way alone
            reasons[way] = str(error)
    jobs += [failing(f"{way}: {why}", {"way": way}) for way, why in reasons.items()]
    draw = partial(channel.draw, title=f"{config.model.name}, {config.link.name}",
                   limit=_say_limits(config))  # fmt: skip
    first: dict[str, Any] = next(iter(about.values()), {})
    summarise = partial(_summary, config)
    provenance = {**first, "ways": about}
    return produce(config, "channel", jobs, draw, summarise, provenance,
                   finish=partial(_with_devices, config))  # fmt: skip


def _jobs(config: Config, way: str, one: Any, library: Library) -> Iterator[Job]:
    """The points of one way; N* is searched at the first of those that load the link alike."""
    searched: set[str] = set()
    for (axis, transport), here in groupby(config.points, lambda at: (at.axis, at.transport)):
        every = list(here)
        try:
            measured = library.measured(every[0].of(one))
            cases = [_case(at.of(one), measured, way, at) for at in every]
        except ValueError as error:
            if transport == EXACT:
                raise
            yield left_out(str(error), {"way": way, "axis": axis, "transport": transport})
            continue
        for made in cases:
            load, good = made.labels["load"], not _say_wrong(share_right(made), config)
            yield _job(made, config, search=good and load not in searched)
            searched |= {load} if good else set()


def _case(config: Any, measured: Measured, way: str, at: Point) -> Case:
    """A way at one point, with what loads the link as a further column."""
    split = measured.split(config.cut, str(config.codec["name"]))
    made = build.case(set_pace(config, measured, split), measured, way=way, **at.labels)
    load = say_load(made, data_sizes(made)["payload_bytes"] or 0.0)
    return replace(made, labels={**made.labels, "load": load})


def _job(made: Case, config: Config, *, search: bool) -> Job:
    job = made.job()
    if not search:
        return replace(job, evaluate=partial(_play, made))
    spec = repr({"system": job.spec, "slo": config.slo, "plan": config.plan})
    return replace(job, spec=spec, evaluate=partial(_plan, made, config))


def _play(made: Case) -> Row:
    return {"fate": "", **made.play(), **data_sizes(made), **share_right(made)}


def _plan(made: Case, config: Config) -> Row:
    return {**_play(made), **fit(made, config.slo, config.plan)}


def _say_wrong(right: Mapping[str, Any], config: Config) -> str:
    """Why no number of devices is enough, where too few answers are right."""
    known = right.get("right_share", 1.0)
    if known >= config.least_right:
        return ""
    return f"{100 * known:.3g} % of the requests are answered rightly, below least_right"


def _with_devices(config: Config, rows: Sequence[Row]) -> list[Row]:
    """Every row with N*: what loads the link alike is searched once."""
    found = {(row["way"], row["load"]): row for row in rows if "n_star" in row}
    return [row if "load" not in row else {**row, **_fit(row, found, config)} for row in rows]


def _fit(row: Row, found: Mapping[tuple[str, str], Row], config: Config) -> Row:
    if why := _say_wrong(row, config):
        return {**dict.fromkeys(_FITS[:3], 0), "n_bound": None, "why": why}
    known = found.get((row["way"], row["load"]), {})
    return {name: known.get(name) for name in _FITS}


def _say_limits(config: Config) -> str:
    """What N* keeps, in a line."""
    least = f", right >= {100 * config.least_right:g} %" if config.least_right else ""
    return f"{say_limit(config.slo)}{least}"


_WORDS = {"bit_error_rate": "bits flipped", "frame_error_rate": "segments lost"}


def _summary(config: Config, rows: Sequence[Row]) -> Summary:
    known = [row for row in rows if not row["fate"]]
    axes = list(dict.fromkeys(row["axis"] for row in known))
    shown = {axis: _least([row["error_rate"] for row in known if row["axis"] == axis])
             for axis in axes}  # fmt: skip
    cells = []
    for way in config.ways:
        for delivered in (True, False):
            mine = [r for r in known if r["way"] == way and (r["transport"] != EXACT) == delivered]
            at = [next((r for r in mine if (r["axis"], r["error_rate"]) == each), None)
                  for each in shown.items()]  # fmt: skip
            if any(at):
                sent = "once" if delivered else "until right"
                cells.append((way, sent, *(cell for row in at for cell in _cells(row))))
    columns = [f"{text}, {shown[axis]:g} {_WORDS[axis]}" for axis in axes
               for text in ("right %", "airtime ms", "N*")]  # fmt: skip
    return Summary(
        title=f"Fixed and variable length on a link that damages: {config.task} of"
        f" {config.model.name}",
        finding=" ".join(_finding(axis, [r for r in known if r["axis"] == axis]) for axis in axes),
        columns=("way", "sent", *columns),
        rows=tuple(cells),
        origin=(
            "Payloads, damage and answers measured on test samples with weights trained here;"
            " queues, losses and retransmissions simulated; device and server seconds scaled"
            f" (run.json). N* keeps {_say_limits(config)}; 0: even one device misses it (column why"
            " of results.csv). Codecs that must arrive right say so there in column fate."
        ),
    )


def _cells(row: Row | None) -> tuple[str, str, str]:
    if row is None:
        return ("-", "-", "-")
    fits = between(row, "n_star") if row["n_star"] else number(row["n_star"])
    airtime = between(row, "airtime_s_per_departure", 1e3)
    return (between(row, "right_share", 100.0), airtime, fits)


def _least(rates: Sequence[float]) -> float:
    """The least rate at which anything is damaged."""
    return min((rate for rate in rates if rate > 0.0), default=0.0)


def _finding(axis: str, rows: Sequence[Row]) -> str:
    """Up to where repeating serves anybody, and what still answers at the highest rate."""
    exact = [row for row in rows if row["transport"] == EXACT and row["n_star"]]
    upto = max((row["error_rate"] for row in exact), default=None)
    last = max(row["error_rate"] for row in rows)
    once = [r for r in rows if r["transport"] != EXACT and r["error_rate"] == last]
    words = f"With {_WORDS[axis]}, repeating keeps the limit up to a share of {number(upto)}"
    if not once:
        return f"{words}."
    best = max(once, key=lambda row: row["right_share"])
    return (
        f"{words}; at {last:g}, sent once, {best['way']} is right in"
        f" {between(best, 'right_share', 100.0)} % at N* = {between(best, 'n_star')}."
    )
