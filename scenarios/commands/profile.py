"""Measure what a network costs on this machine: seconds of both sides of every cut.

As it is deployed: eager, as CUDA graphs or compiled, in fp32, fp16 or bf16. Vision: over batch
sizes. Language: prefill and decode apart, over batch, prompt and KV length. Says beforehand how
long it takes; writes the tables (npz), one row per cut and point (CSV) and run.json.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from profiles.tables.cost import MODES, PRECISIONS
from scenarios.present.summary import Summary, number
from scenarios.shell.names import unknown
from scenarios.shell.progress import progress
from scenarios.sweep.store import Store, write_table
from scenarios.systems.scenario import Model
from sim.specs.check import above, option

_PROCESSORS = ("this", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which network, on which processor, how thoroughly."""

    name: str = option("profile", "folder of the results")
    model: Model = field(default_factory=Model)
    hardware: str = option("this", "this (the GPU if there is one), cpu or cuda")
    mode: str = option("auto", "eager, graph, compiled; auto: graph on a GPU, else eager")
    precision: str = option("auto", "fp32, fp16, bf16; auto: fp16 on a GPU, else the network's own")
    threads: int = option(1, "CPU threads")
    batches: list[int] = option([], "batch sizes; empty: what the budget allows")
    budget_s: float = option(60.0, "about how long it may take", unit="s")
    dry_run: bool = option(False, "say how long it takes, no more")

    def __post_init__(self) -> None:
        if self.hardware not in _PROCESSORS:
            raise ValueError(unknown("hardware", self.hardware, _PROCESSORS))
        for name, known in (("mode", MODES), ("precision", PRECISIONS)):
            if getattr(self, name) not in ("auto", *known):
                raise ValueError(unknown(name, getattr(self, name), ("auto", *known)))
        above("threads", self.threads, 0)
        above("budget_s", self.budget_s, 0)
        if self.batches != sorted(set(self.batches)) or min(self.batches, default=1) < 1:
            raise ValueError(f"batches must ascend from 1 or above, got {self.batches}")


def run(config: Config) -> int:
    """Measure, store and print."""
    import torch

    from profiles.measuring.conditions import doubts
    from profiles.shipping import effort, portfolio

    gpu = torch.cuda.is_available()
    device = {"this": "cuda" if gpu else "cpu"}.get(config.hardware, config.hardware)
    network = config.model.network()
    where: dict[str, Any] = {
        "n_threads": config.threads, "device": device,
        "precision": config.precision, "mode": config.mode,
    }  # fmt: skip
    how = effort.effort(network, batches=config.batches, budget_s=config.budget_s, **where)
    random = "" if network.weights == "trained" else ", random weights"
    print(f"{config.model.name}{random}: {how}")
    if config.dry_run:
        return 0
    store = Store(Path("outputs") / config.name)
    with store.lock():
        with progress(f"timing {config.model.name}") as report:
            profiles = portfolio.measure(
                network, how, hardware=portfolio.hardware_name(device), progress=report, **where
            )
        files = {phase: store.folder / f"{network.name}-{phase}.npz" for phase in profiles}
        for phase, profile in profiles.items():
            profile.save(files[phase])
        rows = [row for profile in profiles.values() for row in profile.rows()]
        write_table(store.folder / "profile.csv", rows)
        provenance = {phase: profile.provenance for phase, profile in profiles.items()}
        made = {"digests": {phase: profile.digest for phase, profile in profiles.items()}}
        store.write_run(command="profile", config=asdict(config), provenance=provenance, **made)
    for phase, profile in profiles.items():
        _summary(phase, profile).show()
        for doubt in doubts(profile):
            print(f"caution: {doubt}")
    if "copies" in provenance[phase]:
        print(tell_copies(provenance[phase]["copies"]))
    names = ", ".join(str(path) for path in files.values())
    print(f"written: {names}, profile.csv and run.json")
    return 0


def tell_copies(laws: Mapping[str, Mapping[str, float]]) -> str:
    """The copies of a GPU box, as the server's options take them."""
    there, back = laws["to_device"], laws["to_host"]
    return (
        f"copies: server.copy_fixed_s={there['fixed_s']:.3g}"
        f" server.copy_bytes_per_s={there['bytes_per_s']:.3g}"
        f" (back {back['fixed_s']:.3g} s and {back['bytes_per_s']:.3g} B/s)"
    )


def _summary(phase: str, profile: Any) -> Summary:
    """The cuts at the smallest point of the grid."""
    head, tail = profile.head, profile.tail
    at = (head.batches[0], head.new_tokens[0], head.kv_lengths[0])
    words = {"single": f"batch {at[0]}", "prefill": f"batch {at[0]}, {at[1]} token"}
    where = words.get(phase, f"batch {at[0]}, {at[2]} tokens cached")
    rest = ""
    if profile.layers:
        share = profile.layers[-1].seconds / head.seconds_at("output", *at)
        rest = f"overhead that no block accounts for: {number(100 * share)} % of the whole"
    return Summary(
        title=f"{phase}, {where}, {head.precision} {head.mode}",
        columns=("cut", "crossing", "elements", "head GFLOP", "head ms", "tail ms"),
        rows=tuple(
            (
                cut.name, f"{'x'.join(map(str, cut.shape))} {cut.dtype}", f"{cut.elements:,}",
                number(cut.head_flops / 1e9, 4),
                *(number(1e3 * side.seconds_at(cut.name, *at), 4) for side in (head, tail)),
            )
            for cut in profile.cuts
        ),
        origin=rest,
    )  # fmt: skip
