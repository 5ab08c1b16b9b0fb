"""Draw server seconds per request and server utilization against the number of devices (Fig. 1d).

The server batches what waits (take_all), so that its seconds per request fall with load; decoding
the payloads counts as server time. The paper's claim of 4.4x is drawn as a band below the
full server's seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from plots import fig1_server_load as server_load
from scenarios.present.summary import Summary, between, number, ratio
from scenarios.study.figure import Figure, compare, grid, measure_methods, methods
from scenarios.sweep.store import Row


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure; `sweep` holds the numbers of devices."""


def run(config: Config) -> int:
    """Simulate every method at every N, store the rows, draw the figure."""
    known = measure_methods(config)
    draw = partial(server_load.draw, title=_title(config))
    jobs = grid(config, known, methods(config))
    return compare(config, "fig1_server_load", known, jobs, draw, _summary)


def _title(config: Config) -> str:
    return f"{config.model.name}, split after {config.cut}, {config.link.name}"


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    first, last = (choose(row["n_devices"] for row in rows) for choose in (min, max))
    at = {(row["method"], row["n_devices"]): row for row in rows}
    names = list(dict.fromkeys(row["method"] for row in rows))
    full = at["full server, raw" if "full server, raw" in names else names[0], first]
    plain = at["split, no codec", first]
    best = at[f"split, {config.best}", first]
    costs = [row["server_s_per_request"] for row in (full, plain, best)]
    saved = [ratio(costs[0], one) for one in costs[1:]]
    return Summary(
        title=f"Server load against the number of devices, {_title(config)}",
        finding=(
            f"A request costs the full server {number(costs[0], factor=1e3)} ms; "
            f"splitting after {config.cut} alone saves a factor of {number(saved[0])}, with "
            f"{config.best}, whose decoding counts, {number(saved[1])} (claimed by the paper: 4.4)."
        ),
        columns=("method", f"server ms/request, N = {first}", f"N = {last}",
                 f"server busy %, N = {last}", "accuracy %"),
        rows=tuple(
            (name, between(at[name, first], "server_s_per_request", 1e3),
             between(at[name, last], "server_s_per_request", 1e3),
             between(at[name, last], "server_utilization", 100),
             between(at[name, last], "table_accuracy", 100))
            for name in names
        ),
        origin=where,
    )  # fmt: skip
