"""Draw server throughput against the number of devices (the paper's Fig. 2 left).

Above: every method at one split, full server and full device. Below: the split moves through the
network, without codec and with the best chain. Dashed: the operational bounds. Real features of
test samples are encoded, decoded and answered first; accuracy stands in the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from plots import throughput
from scenarios._figure import (
    Figure,
    Method,
    grid,
    measured,
    methods,
    origin,
    produce,
    split_methods,
)
from scenarios._results import Row
from scenarios._summary import Summary, between, number

CODECS, SPLITS = "codecs", "splits"


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure: its splits; `sweep` holds the numbers of devices."""

    splits: list[str] = field(
        default_factory=list, metadata={"help": "cuts that the lower panel compares"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.splits:
            raise ValueError("splits must name at least one cut, got []")


def run(config: Config) -> int:
    """Simulate every method at every N, store the rows, draw the figure."""
    known = measured(config)
    provenance = known.describe(config.device, config.server)
    jobs = [
        *grid(config, known, methods(config), panel=CODECS),
        *grid(config, known, _moved(config), panel=SPLITS),
    ]
    return produce(
        config,
        "fig2_throughput",
        jobs,
        draw=partial(throughput.draw, title=_title(config)),
        summarise=partial(_summary, config, origin(config, provenance)),
        provenance=provenance,
    )


def _moved(config: Config) -> list[Method]:
    """The best chain and no codec at every split."""
    return [
        Method(f"{cut}, {method.name.removeprefix('split, ')}", cut, method.setting)
        for cut in config.splits
        for method in split_methods(config, cut)
        if method.setting == config.best or method.name == "split, no codec"
    ]


def _title(config: Config) -> str:
    return f"{config.model.name} on {config.device.name}, {config.link.name}"


def _summary(config: Config, where: str, rows: Sequence[Row]) -> Summary:
    last = max(row["n_devices"] for row in rows)
    ends = [row for row in rows if row["n_devices"] == last]
    full = next((r for r in ends if r["method"] == "full server, JPEG"), ends[0])
    split = [row for row in ends if row["cut"] not in ("input", "output")]
    top = max(split, key=lambda row: row["throughput_rps"])
    device = next(row for row in ends if row["cut"] == "output")
    return Summary(
        title=f"Throughput against the number of devices, {_title(config)}",
        finding=(
            f"At N = {last} the best split ({top['method']}, cut at {top['cut']}) answers "
            f"{number(top['throughput_rps'])} requests/s, {full['method']} "
            f"{number(full['throughput_rps'])}, full device {number(device['throughput_rps'])}: "
            f"{number(top['throughput_rps'] / full['throughput_rps'])} times the full server."
        ),
        columns=("method", f"requests/s at N = {last}", "server busy %", "uplink busy %",
                 "payload B", "accuracy %"),
        rows=tuple(
            (row["method"], between(row, "throughput_rps"),
             number(100 * row["server_utilization"]), number(100 * row["link_utilization"]),
             number(row["uplink_bytes_per_request"]), between(row, "table_accuracy", 100))
            for row in ends
        ),
        origin=where,
    )  # fmt: skip
