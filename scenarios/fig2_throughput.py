"""Draw server throughput against the number of devices, one line per split and codec (Fig. 2).

Methods: the compressed input sent to the server, which does all; three splits, uncompressed and
with SLICER; everything on the device. Dashed: the operational bounds. Accuracy stands beside each
method. Real features of test samples are encoded, decoded and answered first (outputs/cache).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from plots import files, throughput
from scenarios import _request, _table
from scenarios._measured import Measured, measure
from scenarios._play import Job, play
from scenarios._point import job
from scenarios._results import Store
from scenarios._sweep import axes_of, points
from scenarios._system import Scenario

ROLES = ("input", "plain", "compressed", "strong")


@dataclass(frozen=True, kw_only=True)
class Config(Scenario):
    """The figure: its splits and the codec in each role; `sweep` holds the numbers of devices."""

    splits: list[str] = field(
        default_factory=list, metadata={"help": "cuts that are compared, early to late"}
    )
    codecs: dict[str, dict[str, Any]] = field(
        default_factory=dict,
        metadata={
            "help": "input: of the raw input; plain, compressed: drawn; strong: in the table"
        },
    )
    draw_strong: bool = field(
        default=False, metadata={"help": "draw the strong codec instead of the compressed one"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.splits:
            raise ValueError("splits must name at least one cut, got []")
        for role in self.codecs:
            if role not in ROLES:
                raise ValueError(f"codecs must be of {', '.join(ROLES)}, got {role!r}")


class _Method(NamedTuple):
    name: str
    cut: str
    setting: str


def run(config: Config) -> int:
    """Simulate every method at every N, store the rows, draw the figure."""
    store = Store(Path("outputs") / config.name)
    cuts = ["input", *config.splits, "output"]
    measured = measure(config.model, list(config.codecs.values()), cuts)
    with _request.locked(store):
        rows = play(list(_jobs(config, measured)), store)
        store.write_table(rows)
        provenance = measured.describe(config.device, config.server)
        store.write_run(command="fig2_throughput", config=asdict(config), provenance=provenance)
        figure = throughput.draw(rows, title=_title(config), note=_note(config, provenance))
        written = files.save(figure, store.folder)
    _table.show([row for row in rows if row["n_devices"] == rows[-1]["n_devices"]], provenance)
    print(f"written: {', '.join(map(str, written))}, {store.folder}/results.csv and run.json")
    return int(any(row.get("error") for row in rows))


def _jobs(config: Config, measured: Measured) -> Iterator[Job]:
    axes = axes_of(config.sweep)
    for method in _methods(config):
        for point in points(config, axes):
            yield job(
                point.config, measured, cut=method.cut, setting=method.setting, method=method.name
            )


def _methods(config: Config) -> Iterator[_Method]:
    names = {role: str(chosen["name"]) for role, chosen in config.codecs.items()}
    yield _Method(f"{names['input'].upper()}, all on server", "input", names["input"])
    for role in ("plain", "strong" if config.draw_strong else "compressed"):
        for cut in config.splits:
            yield _Method(f"{cut}, {names[role]}", cut, names[role])
    yield _Method("all on device", "output", names["plain"])


def _title(config: Config) -> str:
    return f"{config.model.name} on {config.device.name}, {config.link.name}, one server"


def _note(config: Config, provenance: dict[str, Any]) -> str:
    head = provenance["head_seconds"]
    scaled = f"that x {head['factor']:.2f}, scaled" if head["kind"] == "scaled" else "measured"
    processor = provenance["payloads"]["machine"]["processor"]
    return (
        f"Payloads and answers: measured on {provenance['samples']} test samples. "
        f"Server: {config.server.title}, {processor}: measured. Device: {scaled} by ResNet-18. "
        f"Think time {config.workload.think_s:g} s. Link and queues: modelled" + _contention(config)
    )


def _contention(config: Config) -> str:
    if config.link.sharing != "wifi" or config.link.contention != "ns3":
        return "."
    return "; 802.11ax contention from ns-3 runs of up to 40 active stations, carried on beyond."
