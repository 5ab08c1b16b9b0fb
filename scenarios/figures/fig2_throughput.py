"""Draw server throughput against the number of devices (the paper's Fig. 2 left).

A panel per network, every method at one split: ResNet-34 on photographs (random weights, chains
with a knob at equal relative L2), the scenes network and the byte Llama (real payloads and
answers). Below, the split moves through the first of them. Dashed: operational bounds. The byte
Llama keeps machines of its own, as in fig2_runtime.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from plots import fig2_throughput as throughput
from profiles.tables.hardware import DeviceSpec
from scenarios.present.summary import Summary, between, number
from scenarios.shell.names import unknown
from scenarios.study.cuts import bear_errors, last_cuts
from scenarios.study.figure import (
    AUTO,
    Figure,
    grid,
    measure_methods,
    origin,
    produce,
    split_methods,
)
from scenarios.study.panels import Panel, pictures, text
from scenarios.sweep.store import Row
from scenarios.systems.generations import Text
from scenarios.systems.scenario import Model, Server
from sim.specs.check import option

BIG, OWN, TEXT, SPLITS = PANELS = ("big", "own", "text", "splits")


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure: its networks and splits; `sweep` holds the numbers of devices."""

    panels: list[str] = option(
        lambda: list(PANELS),
        "big: big_model; own: model; text: generations; splits: cuts of big_model, of model"
        " without big",
    )
    splits: list[str] = option([], "cuts that the lowest panel compares; empty: the last three")
    big_model: Model = field(default_factory=Model)
    big_cut: str = option(AUTO, "where the big network is split; auto: as for cut")
    text: Text = field(default_factory=Text)
    text_device: DeviceSpec
    text_server: Server
    text_devices: int = option(64, "largest N of the generations, whose every token is played")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.panels:
            raise ValueError(f"panels must name some of {', '.join(PANELS)}, got none")
        for panel in self.panels:
            if panel not in PANELS:
                raise ValueError(unknown("panel", panel, PANELS))


def run(config: Config) -> int:
    """Simulate every method on every network at every N, store the rows, draw the figure."""
    make = {
        BIG: partial(pictures, config, config.big_model, config.big_cut),
        OWN: partial(pictures, config, config.model, config.cut),
        TEXT: partial(text, _serve_text(config), config.text, most=config.text_devices),
        SPLITS: partial(_move_split, config),
    }
    panels = {name: make[name]() for name in config.panels}
    draw = partial(throughput.draw, title=_title(config))
    summarise = partial(_summary, " ".join(panel.origin for panel in panels.values()))
    provenance = {name: panel.provenance for name, panel in panels.items()}
    jobs = [job for panel in panels.values() for job in panel.jobs]
    return produce(config, "fig2_throughput", jobs, draw, summarise, provenance)


def _title(config: Config) -> str:
    cells = f" ({config.link.n_cells} cells)" if config.link.n_cells > 1 else ""
    return f"{config.device.name}, {config.link.name}{cells}, {config.server.name}"


def _serve_text(config: Config) -> Config:
    return replace(config, device=config.text_device, server=config.text_server)


def _move_split(config: Config) -> Panel:
    """The best chain and no codec at every split of the first network of pictures."""
    if BIG in config.panels:
        config = replace(config, model=config.big_model)
    known = measure_methods(config)
    chosen = [
        method._replace(name=f"{cut}, {method.name.removeprefix('split, ')}")
        for cut in config.splits or last_cuts(known, 3)
        for method in split_methods(config, cut)
        if method.split.setting == config.best or method.name == "split, no codec"
    ]
    about = known.describe(config.device, config.server)
    jobs = list(grid(config, known, bear_errors(chosen, known), panel=SPLITS))
    drawn = {BIG, OWN} & {*config.panels}
    where = "" if drawn else f"{config.model.name}: {origin(config, about)}"
    return Panel(SPLITS, jobs, where, about)


def _summary(where: str, rows: Sequence[Row]) -> Summary:
    panels = list(dict.fromkeys(row["panel"] for row in rows))
    last = {p: max(row["n_devices"] for row in rows if row["panel"] == p) for p in panels}
    ends = [row for row in rows if row["n_devices"] == last[row["panel"]]]
    findings = [_finding([row for row in ends if row["panel"] == panel]) for panel in panels
             if panel != SPLITS]  # fmt: skip
    return Summary(
        title="Throughput against the number of devices",
        finding=f"Best split at the largest N: {'; '.join(findings)}.",
        columns=("network", "N", "method", "requests/s", "server busy %", "uplink busy %",
                 "payload B", "right %", "relative L2"),
        rows=tuple(_cells(row) for row in ends),
        origin=where,
    )  # fmt: skip


def _finding(rows: Sequence[Row]) -> str:
    """The best split of one network against the better full server and the full device."""
    split = [row for row in rows if row["cut"] not in ("input", "output")]
    top = max(split, key=lambda row: row["throughput_rps"])
    full = max((r for r in rows if r["cut"] == "input"), key=lambda row: row["throughput_rps"])
    device = next(row for row in rows if row["cut"] == "output")
    gain = number(top["throughput_rps"] / full["throughput_rps"])
    return (
        f"{top['panel']}, N = {top['n_devices']}: {top['method']} at {top['cut']} "
        f"{number(top['throughput_rps'])} requests/s"
        f", {gain} times {full['method']} ({number(full['throughput_rps'])}), full device "
        f"{number(device['throughput_rps'])}"
    )


def _cells(row: Mapping[str, float]) -> tuple[str, ...]:
    return (
        str(row["model"]), str(row["n_devices"]), str(row["method"]),
        between(row, "throughput_rps"),
        number(100 * row["server_utilization"]), number(100 * row["link_utilization"]),
        number(row["uplink_bytes_per_request"]), between(row, "table_accuracy", 100),
        between(row, "relative_l2"),
    )  # fmt: skip
