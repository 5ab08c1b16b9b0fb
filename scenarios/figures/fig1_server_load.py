"""Draw server seconds per request and server utilization against the number of devices (Fig. 1d).

The server batches what waits (take_all), so that its seconds per request fall with load. Decoding
counts as server time where the GPU decodes; on the host's cores it is told apart. The paper's claim
of 4.4x is drawn as a band below the full server's seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from plots import fig1_server_load as server_load
from scenarios.present.summary import Summary, between, number, ratio
from scenarios.study.cuts import bear_errors, place_cut
from scenarios.study.figure import Figure, compare, grid, measure_methods, methods
from scenarios.sweep.store import Row


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure; `sweep` holds the numbers of devices."""


def run(config: Config) -> int:
    """Simulate every method at every N, store the rows, draw the figure."""
    known = measure_methods(config)
    config = place_cut(config, known)
    draw = partial(server_load.draw, title=_title(config))
    jobs = grid(config, known, bear_errors(methods(config), known))
    return compare(config, "fig1_server_load", known, jobs, draw, _summary)


def _title(config: Config) -> str:
    return f"{config.model.name} on {config.server.name}, split after {config.cut}"


def _say_jpeg(at: Mapping[tuple[str, int], Row], best: str, n: int) -> str:
    """The factor against images that are compressed as well, where there are such."""
    image = at.get(("full server, JPEG", n))
    if image is None:
        return ""
    saved = ratio(image["server_s_per_request"], at[best, n]["server_s_per_request"])
    return f", there against JPEG images {number(saved)}"


def _say_decoding(config: Config, row: Row) -> str:
    if config.server.decode_on == "gpu":
        return "Decoding counts."
    each = number(row["decoder_service_s"], factor=1e3)
    return (
        f"Decoding takes {each} ms of one of the host's {config.server.cpu_workers} cores besides,"
        f" which are {number(row['decoder_utilization'], factor=100)} % busy at the largest N."
    )


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    first, last = (choose(row["n_devices"] for row in rows) for choose in (min, max))
    at = {(row["method"], row["n_devices"]): row for row in rows}
    names = list(dict.fromkeys(row["method"] for row in rows))
    whole = "full server, raw" if "full server, raw" in names else names[0]
    best = f"split, {config.best}"
    alone = [at[name, first]["server_s_per_request"] for name in (whole, "split, no codec", best)]
    busy = [at[name, last]["server_s_per_request"] for name in (whole, best)]
    saved = [ratio(alone[0], one) for one in alone[1:]]
    return Summary(
        title=f"Server load against the number of devices, {_title(config)}",
        finding=(
            f"A request costs the full server {number(alone[0], factor=1e3)} ms; "
            f"splitting after {config.cut} alone saves a factor of {number(saved[0])}, with "
            f"{config.best} {number(saved[1])} at N = {first} and {number(ratio(*busy))} at "
            f"N = {last} (claimed by the paper: 4.4){_say_jpeg(at, best, last)}. "
            f"{_say_decoding(config, at[best, last])}"
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
