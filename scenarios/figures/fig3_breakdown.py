"""Draw where a request's time goes, by method and by how many layers the device runs (Fig. 3 left).

One device alone: its own layers, encoding, the air, the network, decoding, the server's layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from plots import fig3_breakdown as breakdown
from profiles.tables.split import ENDS
from scenarios.present.summary import Summary, between, number
from scenarios.study.cuts import bear_errors
from scenarios.study.figure import Figure, compare, grid, measure_methods, methods, split_methods
from scenarios.sweep.store import Row
from scenarios.systems.answers import Answers
from sim.specs.check import option

_AIR = ("grant", "wait", "service", "resend", "outage")
PARTS = ("head_s", "encode_s", "air_s", "network_s", "decode_s", "tail_s")


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure: its cuts, early to late."""

    cuts: list[str] = option([], "cuts that are compared")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.cuts:
            raise ValueError("cuts must name at least one cut, got []")


def run(config: Config) -> int:
    """Play one device by every method at every cut, part its latency, draw the parts."""
    known = measure_methods(config)
    ends = [m for m in methods(config, config.cuts[0]) if m.split.cut in ENDS]
    split = [m for cut in config.cuts for m in split_methods(config, cut)]
    chosen = [*ends, *bear_errors(split, known)]
    draw = partial(breakdown.draw, title=f"{config.model.name}, {config.link.name}, one device")
    jobs = grid(config, known, chosen)
    finish = partial(_part, config, known)
    return compare(config, "fig3_breakdown", known, jobs, draw, _summary, finish=finish)


def _part(config: Config, known: Answers, rows: Sequence[Row]) -> list[Row]:
    """Rows with the seconds of every part; they add up to the mean latency."""
    head, tail = known.side(config.device, "head"), known.side(config.server, "tail")
    whole = []
    for row in rows:
        if row.get("error") is None and row["latency_mean_s"] is None:
            row = {**row, "error": "nothing was answered within the span; give a longer span_s"}
        if row.get("error"):
            whole.append(row)
            continue
        head_s = head.seconds_at(row["cut"])
        tail_s = tail.seconds_at(row["cut"]) if row["cut"] != "output" else 0.0
        parts = {
            "head_s": head_s,
            "encode_s": row["device_service_s"] - head_s,
            "air_s": sum(row[f"link_{part}_s"] for part in _AIR),
            "network_s": row["network_s"],
            "decode_s": row["server_service_s"] - tail_s,
            "tail_s": tail_s,
        }
        whole.append({**row, **{name: max(0.0, value) for name, value in parts.items()}})
    return whole


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    split = [row for row in rows if row["cut"] in config.cuts]
    fastest = min(rows, key=lambda row: row["latency_mean_s"])
    worst = max(split, key=lambda row: row["encode_s"] / row["latency_mean_s"])
    share = 100 * worst["encode_s"] / worst["latency_mean_s"]
    return Summary(
        title="Where a request's time goes, one device alone",
        finding=(
            f"Fastest: {fastest['method']} at {fastest['cut']} with "
            f"{between(fastest, 'latency_mean_s', 1e3)} ms. Encoding costs the device at most "
            f"{number(share)} % of a request ({worst['method']} at {worst['cut']}); a codec pays "
            "for one device only where the air costs more than encoding and decoding."
        ),
        columns=("cut", "method", *(f"{part.removesuffix('_s')} ms" for part in PARTS),
                 "latency ms"),
        rows=tuple(
            (row["cut"], row["method"], *(number(1e3 * row[part]) for part in PARTS),
             between(row, "latency_mean_s", 1e3))
            for row in rows
        ),
        origin=where,
    )  # fmt: skip
