"""Draw how much of the savings is due to the split and how much to the codec.

Factors against the full server with raw input: the codec alone (the input as JPEG, no split), the
split alone (features as half floats), both (every feature codec), at every cut; for server seconds
per request, uplink bytes per request and throughput of a large fleet. The paper's "4.4x" and "10x"
are drawn as bands.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from plots import attribution
from scenarios.present.summary import Summary, between, number, ratio
from scenarios.shell.names import unknown
from scenarios.study.cuts import bear_errors, place_cut
from scenarios.study.figure import Figure, compare, grid, measure_methods, methods
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.answers import Answers

BASE, CODEC, SPLIT = "full server, raw", "full server, JPEG", "split, no codec"
METRICS = ("server_s_per_request", "uplink_bytes_per_request", "throughput_rps")
SAVED = ("server_saved", "uplink_saved", "throughput_gained")
_ENDS = ("_lo_total", "_hi_total")
_SAME = 0.005


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure; `sweep` holds a light and a heavy load, `cut` is where the sentence is made."""


def run(config: Config) -> int:
    """Play every method at every cut under both loads, take the factors, draw them."""
    known = measure_methods(config)
    config = place_cut(config, known)
    if config.cut not in known.table.cuts:
        raise ValueError(unknown("cut", config.cut, known.table.cuts))
    draw = partial(attribution.draw, title=f"{config.model.name} on {config.server.name}")
    jobs = _jobs(config, known)
    return compare(config, "attribution", known, jobs, draw, _summary, finish=_with_factors)


def _jobs(config: Config, known: Answers) -> Iterator[Job]:
    stages = [cut for cut in known.table.cuts if cut not in ("input", "output")]
    ends = [m for m in methods(config, stages[0]) if m.split.cut == "input"]
    if BASE not in [method.name for method in ends]:
        raise ValueError(f"attribution needs the method {BASE!r}; add raw8 to the methods")
    yield from grid(config, known, ends)
    for cut in stages:
        split = [m for m in methods(config, cut) if m.split.cut == cut]
        yield from grid(config, known, bear_errors(split, known))


def _with_factors(rows: Sequence[Row]) -> list[Row]:
    """Every row with its factors against the full server of raw inputs at the same N."""
    base = {row["n_devices"]: row for row in rows if row["method"] == BASE}
    return [_with_factor(row, base.get(row.get("n_devices"))) for row in rows]


def _with_factor(row: Row, base: Row | None) -> Row:
    if row.get("error") or base is None or base.get("error"):
        return row
    whole = dict(row)
    for metric, saved in zip(METRICS, SAVED, strict=True):
        up = metric == "throughput_rps"
        whole[saved] = _factor(row[metric], base[metric], up)
        for end, other in (_ENDS, _ENDS[::-1]):
            # conservative: the ends of both intervals against each other
            mine, theirs = (row.get(metric + (end if up else other)),
                            base.get(metric + (other if up else end)))  # fmt: skip
            whole[saved + end] = _factor(mine, theirs, up)
    return whole


def _factor(value: float | None, base: float | None, up: bool) -> float | None:
    return ratio(value, base) if up else ratio(base, value)


def sentence(
    saved: float | None, split: float | None, codec: float | None, cut: str, *, host: bool = False
) -> str:
    """How much of the server's saving is the split's and how much the codec's, either way.

    `host`: payloads are decoded on the host's cores, which no second of the server's counts.
    """
    if saved is None or split is None:
        return f"Nothing was answered within the span behind {cut}; give a longer span_s."
    share = 100 * math.log(split) / math.log(saved) if saved > 1 and split > 0 else math.nan
    if saved <= 1:
        return (
            f"Behind {cut} the server saves nothing ({number(saved)}x): the split alone gives "
            f"{number(split)}x."
        )
    whole = (
        f"Of the server's saving of {number(saved)}x behind {cut} the split alone gives "
        f"{number(split)}x"
    )
    if host and abs(saved / split - 1) < _SAME:
        return (
            f"{whole}, that is all of it: payloads are decoded on the host's cores (codec without"
            f" split: {number(codec)}x)."
        )
    if split >= saved:
        back = 100 * (1 - saved / split)
        return (
            f"{whole}, that is all of it: the codec saves the server nothing, its decoding takes "
            f"{number(back)} % of the factor back (codec without split: {number(codec)}x)."
        )
    return (
        f"{whole} ({number(share)} % of it on a logarithmic scale), the codec adds a factor of "
        f"{number(saved / split)} (codec without split: {number(codec)}x)."
    )


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    light, heavy = (choose(row["n_devices"] for row in rows) for choose in (min, max))
    at = {(r["method"], r["cut"], r["n_devices"]): r for r in rows}
    best = at[f"split, {config.best}", config.cut, light]
    split = at[SPLIT, config.cut, light]
    codec = at.get((CODEC, "input", light), at[BASE, "input", light])
    finding = sentence(
        best["server_saved"], split["server_saved"], codec["server_saved"], config.cut,
        host=config.server.decode_on == "cpu",
    )  # fmt: skip
    rest = ratio(best["uplink_saved"], split["uplink_saved"])
    finding += (
        f" Of the uplink's {number(best['uplink_saved'])}x the split alone gives "
        f"{number(split['uplink_saved'])}x, the codec the remaining "
        f"{number(rest)}x; JPEG without a split gives "
        f"{number(codec['uplink_saved'])}x."
    )
    shown = [r for r in rows if r["n_devices"] == light and r["cut"] in (config.cut, "input")]
    return Summary(
        title="What the split saves and what the codec saves",
        finding=finding,
        columns=("method", "server ms/request", "server saved x", "payload B", "uplink saved x",
                 f"throughput gained x, N = {heavy}", "accuracy %"),
        rows=tuple(
            (row["method"], number(row["server_s_per_request"], factor=1e3),
             between(row, "server_saved"), number(row["uplink_bytes_per_request"]),
             between(row, "uplink_saved"),
             between(at[row["method"], row["cut"], heavy], "throughput_gained"),
             between(row, "table_accuracy", 100))
            for row in shown
        ),
        origin=where,
    )  # fmt: skip
