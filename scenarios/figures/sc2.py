"""The SC2 report (arXiv 2203.08875) over schemes, codecs and cuts, with N* beside it.

Three figures of every way to split: encoder size (bits of all parameters on the device), data size
(bytes of a payload at batch 1, as the simulated link carries it) and the task's metric. Drawn are
rate and accuracy, (encoder size x data size) and accuracy, and all three. For the ways on the
Pareto front of the three N* is searched within `slo`, which SC2 does not have. The image itself,
sent raw or as JPEG, stands in every comparison.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from plots import sc2
from scenarios.planning.candidate import data_sizes
from scenarios.planning.options import Option, options
from scenarios.present.summary import Summary, between, number
from scenarios.shell.progress import progress
from scenarios.study.figure import produce
from scenarios.study.planned import SHORT, fit, say_limit
from scenarios.sweep.play import Job, left_out
from scenarios.sweep.store import Row
from scenarios.systems.build import case
from scenarios.systems.case import Case
from scenarios.systems.library import Library
from scenarios.systems.system import System
from sim.planning.limits.budget import Budget
from sim.planning.limits.slo import Slo
from sim.specs.check import option

SENT_AS_IT_IS = "input"
_UNKNOWN = ("encoder_bits", "table_accuracy", "payload_bytes")


@dataclass(frozen=True, kw_only=True)
class Asked(Budget):
    """What is compared, and how long N* is looked for."""

    over: list[str] = option([], "what to compare: scheme=A,B, cut, codec=A,B as in plan")
    task: str = option("class", "what all schemes answer")

    @property
    def axes(self) -> list[str]:
        """The keys of `over` without their values."""
        return [text.split("=", 1)[0] for text in self.over]


@dataclass(frozen=True, kw_only=True)
class Config(System):
    """The ways, and what N* keeps."""

    plan: Asked = field(default_factory=lambda: Asked(**SHORT))  # type: ignore[arg-type]
    slo: Slo = field(default_factory=Slo)
    codecs: dict[str, dict[str, Any]] = option({}, "what plan.over=[codec] takes")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.plan.over:
            raise ValueError("sc2 needs plan.over=[scheme, cut, codec] or some of them")
        self.slo.check_any()


def run(config: Config) -> int:
    """Measure every way, search N* on the front, draw the three trade-offs."""
    spanned = options(config)
    library = Library([each.config for each in spanned if not each.refusal])
    cases: dict[str, Case] = {}
    jobs = list(_jobs(spanned, library, cases))
    about = next((dict(each.provenance) for each in cases.values()), {})
    finish = partial(_with_devices, config, cases)
    draw = partial(sc2.draw, title=f"{config.model.name}, {config.plan.task}")
    return produce(
        config, "sc2", jobs, draw, partial(_summary, config), about, finish=finish
    )  # fmt: skip


def _jobs(spanned: Sequence[Option], library: Library, cases: dict[str, Case]) -> Iterator[Job]:
    for each in spanned:
        values = {key: str(value) for key, value in each.values.items()}
        way = "/".join(values.values())
        try:
            if each.refusal:
                raise ValueError(each.refusal)
            made = case(each.config, library.measured(each.config), way=way)
        except ValueError as error:  # of this way alone
            yield left_out(str(error), {"way": way, **values}, _UNKNOWN)
            continue
        cases[way] = made
        yield replace(made.job(), evaluate=partial(_measure, made))


def _measure(made: Case) -> Row:
    return {"fate": "", "encoder_bits": made.encoder_bits, **data_sizes(made), **made.quality}


def _with_devices(
    config: Config, cases: dict[str, Case], rows: Sequence[Row]
) -> list[Row]:  # fmt: skip
    """The rows with what stands on the front, and how many devices fit with those."""
    front = {id(row) for row in _front([row for row in rows if not row["fate"]])}
    found: list[Row] = []
    with progress("planning") as report:
        for done, row in enumerate(rows, 1):
            on = id(row) in front
            fits = fit(cases[row["way"]], config.slo, config.plan) if on else {}
            found.append({**row, "pareto": on, **fits})
            report(done, len(rows))
    return found


def _front(rows: Sequence[Row]) -> list[Row]:
    """Those that none beats in accuracy, data size and encoder size together."""
    known = [row for row in rows if None not in _costs(row)]
    return [one for one in known if not any(_beats(other, one) for other in known)]


def _costs(row: Row) -> tuple[Any, Any, Any]:
    right = row.get("table_accuracy")
    return (None if right is None else -right, row["payload_bytes"], row["encoder_bits"])


def _beats(one: Row, other: Row) -> bool:
    pairs = list(zip(_costs(one), _costs(other), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _summary(config: Config, rows: Sequence[Row]) -> Summary:
    front = sorted((r for r in rows if r["pareto"]), key=lambda row: row["payload_bytes"])
    split = [row for row in front if row["cut"] != SENT_AS_IT_IS]
    known = [row for row in rows if not row["fate"]]
    whole = [row for row in known if row["cut"] == SENT_AS_IT_IS]
    best = max(whole, key=lambda row: row["table_accuracy"], default=None)
    words = f"{len(front)} of {len(known)} ways stand on the front, {len(split)} of them splits"
    if best:
        words += (
            f"; the image itself is {100 * best['table_accuracy']:.1f} % right by {best['codec']}"
            f" at {number(best['payload_bytes'])} bytes"
        )
    cells = tuple(
        (row["way"], between(row, "table_accuracy", 100.0),
         f"{number(row['payload_bytes'])} +- {number(row['payload_bytes_std'])}",
         number(row["payload_bytes_q95"]), number(row["encoder_bits"] / 1e3),
         number(row["encoder_bits"] * row["payload_bytes"] / 1e6), between(row, "n_star"))
        for row in front
    )  # fmt: skip
    return Summary(
        title=f"SC2: encoder size, data size and accuracy, {config.plan.task}",
        finding=words + ".",
        columns=("way", "accuracy %", "bytes", "bytes q95", "encoder kbit", "Mbit x bytes", "N*"),
        rows=cells,
        origin=(
            "The front alone; all ways are in results.csv. Payloads and answers measured on test"
            " samples, headers included; encoder: all parameters before the cut at their own bits;"
            f" N* keeps {say_limit(config.slo)}."
        ),
    )  # fmt: skip
