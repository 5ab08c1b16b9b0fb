"""Draw device 0's running time of a fixed workload against N (the paper's Fig. 2 right).

Llama-2-7B, its layers timed: BoolQ (a prompt of 117 tokens: passages of 108 and questions of 8.9
tokens on average, Clark et al. 2019; one token of answer) and an answer of 64 tokens (assumed); the
byte Llama on machines of its own; ResNet-34 in pictures. Terminating: device 0 finishes its work
while all others keep loading the system. Generations are not batched, one request or token is
served at a time: what a full server would gain by batches of whole generations was not measured.

The byte Llama stays on a Raspberry Pi and a Xeon core: it is so small that its eager seconds on the
H100 are launches (no CUDA graph of it was timed), while those of a Jetson would be scaled from that
core. The one would lose to the other by the way its seconds became known.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial

from plots import fig2_runtime as runtime
from profiles.shipping import equal
from profiles.tables.hardware import DeviceSpec
from scenarios.present.summary import Summary, between, number
from scenarios.present.table import describe_seconds
from scenarios.study.figure import Figure, produce, split_methods
from scenarios.study.panels import Panel, pictures, sessions_grid, text
from scenarios.sweep.axes import axes_of, points
from scenarios.sweep.play import Job
from scenarios.sweep.store import Row
from scenarios.systems.generations import Text
from scenarios.systems.llama2 import Big
from scenarios.systems.scenario import Model, Server
from sim.specs.check import at_least, option


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure: its workloads, and the machines of the big network."""

    sessions: int = option(3, "generations of device 0")
    requests: int = option(30, "pictures of device 0")
    text: Text = field(default_factory=Text)
    picture_model: Model = field(default_factory=Model)
    big_cut: str = option("layers.23", "cut of Llama-2-7B")
    text_device: DeviceSpec
    text_server: Server
    big_device: DeviceSpec
    big_server: Server

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sessions", "requests"):
            at_least(name, getattr(self, name), 1)


def run(config: Config) -> int:
    """Model the big network, measure the others, play all to the end, draw them."""
    panels = [
        _llama2(config),
        text(
            replace(config, device=config.text_device, server=config.text_server),
            config.text, sessions=config.sessions,
        ),
        pictures(config, config.picture_model, config.cut, requests=config.requests),
    ]  # fmt: skip
    work = f"{config.sessions} sessions or {config.requests} pictures each"
    draw = partial(runtime.draw, title=f"{config.link.name}, {work}")
    summarise = partial(_summary, " ".join(panel.origin for panel in panels))
    provenance = {panel.name: panel.provenance for panel in panels}
    jobs = [job for panel in panels for job in panel.jobs]
    return produce(config, "fig2_runtime", jobs, draw, summarise, provenance)


def _llama2(config: Config) -> Panel:
    """Llama-2-7B answering BoolQ and at length: timed layers, scaled bytes."""
    small = config.text.generations(config.codecs.values(), live=config.live)
    at = [
        point._replace(
            config=replace(point.config, device=config.big_device, server=config.big_server)
        )
        for point in points(config, axes_of(config.sweep))
    ]
    jobs: list[Job] = []
    for n_tokens, panel in ((1, "BoolQ"), (config.text.n_tokens, f"{config.text.n_tokens} tokens")):
        big = Big(
            small=small, small_cut=config.text.cut, n_tokens=n_tokens,
            prompt_tokens=config.text.prompt_tokens,
            named=[asdict(config.text), n_tokens, config.big_cut],
        )  # fmt: skip
        chosen = [
            big.split(config.big_cut, equal.twin(method.split.setting, small.table.settings))
            for method in split_methods(config, config.big_cut)
        ]
        jobs += sessions_grid(config, big, chosen, at, config.sessions, model="llama2-7b",
                              panel=f"llama2-7b, {panel}")  # fmt: skip
    known = big.describe(config.big_device, config.big_server)
    head, tail = (describe_seconds(known[f"{part}_seconds"]) for part in ("head", "tail"))
    words = (
        f"llama2-7b: {config.big_device.title} after {config.big_cut}, {head}; "
        f"{config.big_server.title}, {tail}, one layer x 32; payloads "
        "and errors scaled from the byte Llama's measured ones per element, topk, slicer and ecsq "
        "at the relative L2 at which it loses 1 pp; prompts as "
        "long as BoolQ's on average (108 + 8.9 tokens, Clark et al. 2019), longer answers assumed; "
        "nothing in it is random, so that its intervals have no width."
    )
    return Panel("llama2-7b", jobs, words, dict(known))


def _summary(where: str, rows: Sequence[Row]) -> Summary:
    first, last = (choose(row["n_devices"] for row in rows) for choose in (min, max))
    at = {(row["panel"], row["method"], row["n_devices"]): row for row in rows}
    keys = list(dict.fromkeys((row["panel"], row["method"]) for row in rows))
    words = []
    for panel in dict.fromkeys(panel for panel, _ in keys):
        here = [at[p, m, last] for p, m in keys if p == panel]
        best = min(here, key=lambda row: row["device_time_s"])
        full = at[panel, "full server, raw", last]
        words.append(
            f"{panel}: {best['method']} {number(best['device_time_s'])} s, full server "
            f"{number(full['device_time_s'])} s"
        )
    return Summary(
        title="Running time of device 0 for a fixed workload",
        finding=f"Least running time at N = {last}: {'; '.join(words)}.",
        columns=("workload", "method", f"seconds, N = {first}", f"seconds, N = {last}",
                 "server ms/session", "payload B/session", "right %", "relative L2"),
        rows=tuple(
            (panel, method, between(at[panel, method, first], "device_time_s"),
             between(at[panel, method, last], "device_time_s"),
             number(1e3 * at[panel, method, last]["server_s_per_request"]),
             number(at[panel, method, last]["uplink_bytes_per_request"]),
             between(at[panel, method, last], "table_accuracy", 100),
             between(at[panel, method, last], "relative_l2"))
            for panel, method in keys
        ),
        origin=where,
    )  # fmt: skip
