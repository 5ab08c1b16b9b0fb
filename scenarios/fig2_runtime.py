"""Draw device 0's running time of a fixed generation workload against N (Fig. 2 right).

The byte Llama, payloads and seconds measured, 64 tokens a session; Llama-2-7B, modelled: BoolQ (a
prompt of 117 tokens, passage 108 and question 9 on average, Clark et al. 2019, one token of answer)
and 64 tokens. Terminating: device 0 finishes its sessions while all others keep loading the system.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from plots import runtime
from profiles.hardware import DeviceSpec
from scenarios._figure import Figure, produce
from scenarios._llama2 import Big, roof_share
from scenarios._measured import kind_of
from scenarios._play import Job, failing
from scenarios._point import identity
from scenarios._results import Row
from scenarios._sessions import Sessions, generations
from scenarios._summary import Summary, between, number
from scenarios._sweep import Point, axes_of, points
from scenarios._system import Server, system_spec
from sim import replicate
from sim.source import ConstantSource, Source


@dataclass(frozen=True, kw_only=True)
class Config(Figure):
    """The figure: its workloads, and the machines of the big network."""

    shown: list[str] = field(
        default_factory=list, metadata={"help": "codecs that are compared; empty: all"}
    )
    sessions: int = field(default=3, metadata={"help": "sessions of device 0"})
    prompt_tokens: int = field(default=117, metadata={"help": "length of every prompt"})
    n_tokens: int = field(default=64, metadata={"help": "tokens of a long session"})
    n_prompts: int = field(default=8, metadata={"help": "measured generations"})
    big_cut: str = field(default="layers.23", metadata={"help": "cut of Llama-2-7B"})
    big_device: DeviceSpec
    big_server: Server

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sessions", "prompt_tokens", "n_tokens", "n_prompts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")


def run(config: Config) -> int:
    """Measure the byte Llama, model the big one, play both to the end, draw them."""
    chosen = [c for c in config.codecs.values() if kind_of(c) == "feature"]
    chosen = [c for c in chosen if not config.shown or c["name"] in config.shown]
    small = generations(
        config.model.name, chosen, [config.cut], n_prompts=config.n_prompts,
        prompt_tokens=config.prompt_tokens, n_tokens=config.n_tokens, repeats=3,
    )  # fmt: skip
    share = roof_share({config.big_server.name: config.big_server})
    names = [str(codec["name"]) for codec in chosen]
    return produce(
        config,
        "fig2_runtime",
        list(_jobs(config, small, share, names)),
        draw=partial(runtime.draw, title=f"{config.link.name}, {config.sessions} sessions each"),
        summarise=partial(_summary, config, small, share),
        provenance={**small.table.provenance, "roof_share": share},
    )


def _jobs(config: Config, small: Sessions, share: float, names: Sequence[str]) -> Iterator[Job]:
    ways = {"full server": "input", "full device": "output"}
    ways |= {_split(name): name for name in names}
    big = Big(
        device=config.big_device, server=config.big_server, share=share, small=small,
        small_cut=config.cut, cut=config.big_cut, prompt_tokens=config.prompt_tokens, n_tokens=1,
    )  # fmt: skip
    long = replace(big, n_tokens=config.n_tokens)
    panels: dict[str, Any] = {
        f"{config.model.name}, {config.n_tokens} tokens": partial(_small_source, config, small),
        "llama2-7b, BoolQ": big.source,
        f"llama2-7b, {config.n_tokens} tokens": long.source,
    }
    for panel, source_of in panels.items():
        for method, way in ways.items():
            source = source_of(way)
            for point in points(config, axes_of(config.sweep)):
                yield _job(config, point, small, share, source, panel, method, way)


def _job(
    config: Config, point: Point, small: Sessions, share: float, source: Source, panel: str,
    method: str, way: str,
) -> Job:  # fmt: skip
    labels = {"panel": panel, "method": method, "model": panel.split(",")[0], "codec": way}
    if point.error:
        return failing(point.error, labels)
    at = point.config
    ending = replace(at, workload=replace(at.workload, requests=config.sessions))
    machines = (at.device, at.server) if panel.startswith(at.model.name) else (
        at.big_device, at.big_server)  # fmt: skip
    labels |= {
        "n_devices": at.fleet.n_devices, "device": machines[0].name, "server": machines[1].name,
        "link": at.link.name, "seed": at.seed,
    }  # fmt: skip
    return Job(
        spec={**identity(ending), "big": [repr(config.big_device), repr(config.big_server),
              config.big_cut, share, config.n_tokens, config.prompt_tokens]},
        digests=small.digests,
        labels=labels,
        evaluate=partial(_evaluate, ending, source),
    )  # fmt: skip


def _small_source(config: Config, small: Sessions, way: str) -> Source:
    """Sessions of the byte Llama, measured; the whole on one side is one long request."""
    device, server = config.device, config.server
    if way not in ("input", "output"):
        return small.source(config.cut, way, device, server, config.n_tokens)
    sheet = server if way == "input" else device
    prefill, decode = sheet.scale(small.prefill.head), sheet.scale(small.decode.head)
    total = prefill.seconds_at("output", new_tokens=config.prompt_tokens) + sum(
        decode.seconds_at("output", kv_length=config.prompt_tokens + k)
        for k in range(config.n_tokens - 1)
    )
    if way == "output":
        return ConstantSource(device_s=total)
    sent, back = float(config.prompt_tokens), float(config.n_tokens)  # a token is one byte
    return ConstantSource(payload_bytes=sent, server_s=total, answer_bytes=back)


def _evaluate(config: Config, source: Source) -> Row:
    spec = system_spec(config)
    groups = spec.fleet.groups or {"default": None}
    result = replicate(spec, dict.fromkeys(groups, source))
    if result.failed_checks:
        raise AssertionError(f"laws that do not hold: {', '.join(result.failed_checks)}")
    return result.row()


def _split(setting: str) -> str:
    return "split, no codec" if setting.startswith("raw") else f"split, {setting}"


def _summary(config: Config, small: Sessions, share: float, rows: Sequence[Row]) -> Summary:
    first, last = (choose(row["n_devices"] for row in rows) for choose in (min, max))
    at = {(row["panel"], row["method"], row["n_devices"]): row for row in rows}
    keys = list(dict.fromkeys((row["panel"], row["method"]) for row in rows))
    words = []
    for panel in dict.fromkeys(panel for panel, _ in keys):
        here = [at[p, m, last] for p, m in keys if p == panel]
        best = min(here, key=lambda row: row["device_time_s"])
        full = at[panel, "full server", last]
        words.append(
            f"{panel}: {best['method']} {number(best['device_time_s'])} s, full server "
            f"{number(full['device_time_s'])} s"
        )
    machine = small.table.provenance["machine"]["processor"]
    return Summary(
        title="Running time of device 0 for a fixed generation workload",
        finding=f"Least running time at N = {last}: {'; '.join(words)}.",
        columns=("workload", "method", f"seconds, N = {first}", f"seconds, N = {last}",
                 "server ms/session", "payload B/session"),
        rows=tuple(
            (panel, method, between(at[panel, method, first], "device_time_s"),
             between(at[panel, method, last], "device_time_s"),
             number(1e3 * at[panel, method, last]["server_s_per_request"]),
             number(at[panel, method, last]["uplink_bytes_per_request"]))
            for panel, method in keys
        ),
        origin=(
            f"{config.model.name}: bytes, tokens and server seconds measured ({machine}), trained "
            f"weights, device scaled to {config.device.name} by published ResNet-18. llama2-7b: "
            f"seconds modelled by the roofline of {config.big_device.name} and "
            f"{config.big_server.name} at {100 * share:.0f} % of the roof (published latencies); "
            "payloads scaled from the byte Llama's measured bits per element; codec seconds per "
            f"element as on {machine}. Link and queues: modelled. Intervals: 95 %."
        ),
    )  # fmt: skip
