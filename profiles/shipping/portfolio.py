"""The profiles that the repository ships: measured by one command, found again by model.

    resnet34-single-1.npz       a phase ("single", "prefill", "decode") on 1 CPU thread
    resnet34-single-h100.npz    the same on a GPU, under the name of its data sheet

A profile that is there, of the same network and measured in the same way, is not measured again.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from profiles import models
from profiles.measuring import decoding, timing
from profiles.measuring.clock import clock_of
from profiles.measuring.timing import Progress
from profiles.models.network import Network
from profiles.tables.hardware import THIS
from profiles.tables.layers import ModelProfile

DATA = Path(__file__).parent.parent / "data"
GPU_MODELS = ("resnet34", "mobilenet_v2", "vgg16", "swin_t", "llama2_7b")
_BUDGET_S = 60.0

_CPU_BATCHES, _GPU_BATCHES = (1, 2, 4, 8, 16), (1, 2, 4, 8, 16, 32, 64)
_SMALL = decoding.Grid(batches=(1, 4, 16))
_LARGE = decoding.Grid(prompts=(1, 16, 64), kv_lengths=(0, 64, 256, 1024), batches=(1,))
_GPU = decoding.Grid(
    prompts=(1, 64, 256, 1024), kv_lengths=(0, 256, 1024, 4096), batches=(1, 4, 16, 32)
)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured of one network, and about how long that takes."""

    batches: tuple[int, ...]
    rounds: int
    warmup: int
    seconds: float
    grid: decoding.Grid | None = None

    def __str__(self) -> str:
        what = f"batch {', '.join(map(str, self.batches))}"
        if self.grid is not None:
            prompts, kept = self.grid.prompts, self.grid.kv_lengths
            what += f", prompts of {prompts[0]}-{prompts[-1]} and caches of {kept[0]}-{kept[-1]}"
            what += " tokens"
        return f"{what}, {self.rounds} rounds: about {max(1.0, self.seconds):.0f} s"


def effort(
    network: Network,
    *,
    batches: Sequence[int] = (),
    budget_s: float = _BUDGET_S,
    n_threads: int = 1,
    device: str = "cpu",
) -> Effort:
    """The most rounds, then the most batch sizes (of `batches`, or the usual ones), in `budget_s`.

    At least 7 rounds at batch 1 are measured, whatever they take.
    """
    once = timing.call_seconds(network, n_threads=n_threads, device=device)
    sizes = tuple(batches) or (_CPU_BATCHES if device == "cpu" else _GPU_BATCHES)
    if network.task == "language":
        return _language(network, once, tuple(batches), budget_s, device)
    efforts = []
    for n_batches in range(len(sizes), 0, -1):
        for rounds, warmup in ((30, 10), (15, 4), (7, 2)):
            chosen = sizes[:n_batches]
            seconds = timing.estimate_seconds(
                network, batches=chosen, rounds=rounds, warmup=warmup, once_s=once
            )
            efforts.append(Effort(batches=chosen, rounds=rounds, warmup=warmup, seconds=seconds))
    if batches:  # what was asked for is measured, in as many rounds as fit
        efforts = [one for one in efforts if one.batches == sizes]
    return next((one for one in efforts if one.seconds <= budget_s), efforts[-1])


def measure(
    network: Network,
    how: Effort,
    *,
    hardware: str = THIS,
    n_threads: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, ModelProfile]:
    """Profiles by phase: "single" for vision; "prefill" and "decode" for language."""
    common: dict[str, Any] = {
        "hardware": hardware,
        "rounds": how.rounds,
        "warmup": how.warmup,
        "n_threads": n_threads,
        "device": device,
        "progress": progress,
    }
    if how.grid is None:
        return {"single": timing.measure(network, batches=how.batches, **common)}
    grid = how.grid
    return decoding.measure(
        network, prompts=grid.prompts, kv_lengths=grid.kv_lengths, batches=grid.batches, **common
    )


def make(
    names: Sequence[str] = (),
    *,
    device: str = "cpu",
    threads: Sequence[int] = (1, 2),
    budget_s: float = _BUDGET_S,
    machine: str = "",
    folder: Path | str = DATA / "profiles",
    say: Callable[[str], None] = print,
    progress: Callable[[str], Progress] | None = None,
) -> list[Path]:
    """Measure every network (or those named) into `folder`; return what was written.

    On a GPU those of `GPU_MODELS`. `machine`: the name of its sheet, unless the GPU tells it. A
    network that is there already is passed over, so that an
    interrupted run goes on where it stopped. `say` gets a line beforehand and one afterwards.
    """
    clock_of(device)
    chosen = tuple(names) or (models.names() if device == "cpu" else GPU_MODELS)
    written = []
    for at, name in enumerate(chosen, 1):
        network = models.create(name)
        for n_threads in threads if device == "cpu" else (1,):
            label = str(n_threads) if device == "cpu" else hardware_name(device)
            if all(_is_there(path, network) for path in _paths(folder, network, label)):
                say(f"{name} on {label}: there already")
                continue
            at_hand: dict[str, Any] = {"n_threads": n_threads, "device": device}
            how = effort(network, budget_s=budget_s, **at_hand)
            say(f"{at}/{len(chosen)} {name} on {label}: {how}")
            profiles = measure(
                network, how, hardware=machine or hardware_name(device), **at_hand,
                progress=None if progress is None else progress(name),
            )  # fmt: skip
            for phase, profile in profiles.items():
                path = Path(folder) / f"{name}-{phase}-{label}.npz"
                profile.save(path)
                written.append(path)
                drift = 100 * abs(profile.provenance["anchor_drift"])
                moved = "" if drift <= 10 else f"; the machine drifted by {drift:.0f} %: again"
                say(f"  {path.name}: whole {1e3 * whole_s(profile):.2f} ms{moved}")
    return written


def find(
    model: str, phase: str = "single", on: int | str = 1, folder: Path | str = DATA / "profiles"
) -> ModelProfile:
    """The shipped profile of `model` in a phase, on so many CPU threads or on a named GPU.

    Raises:
        ValueError: none was shipped, with the ones that were.
    """
    path = Path(folder) / f"{model}-{phase}-{on}.npz"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in Path(folder).glob("*.npz"))) or "none"
        raise ValueError(f"no profile of {model}, {phase}, on {on} is shipped; shipped: {known}")
    return ModelProfile.load(path)


def hardware_name(device: str) -> str:
    """ "this" for this CPU; the name of its data sheet for a GPU (NVIDIA H100 ...: "h100")."""
    if device == "cpu":
        return THIS
    title = torch.cuda.get_device_name().lower()
    model = re.search(r"\b(?:rtx )?[a-z]?\d{2,4}\b", title)
    return re.sub(r"\W+", "", model.group() if model else title)


def whole_s(profile: ModelProfile) -> float:
    """Seconds of the whole network at the smallest point that was measured."""
    head = profile.head
    smallest = (head.batches[0], head.new_tokens[0], head.kv_lengths[0])
    return head.seconds_at("output", *smallest)


def _language(
    network: Network, once: float, batches: tuple[int, ...], budget_s: float, device: str
) -> Effort:
    """A grid by the network's size; rounds by the budget, the cost of a call grown by its tokens.

    A step with few tokens is bound by the weights: it costs about what the example's call does.
    """
    grid = _GPU if device == "cuda" else _LARGE if network.copies > 1 else _SMALL
    grid = replace(grid, batches=batches or grid.batches)
    tokens = network.example_input.shape[1]
    calls = [b * max(1.0, n / tokens) for b in grid.batches for n in grid.prompts]
    calls += [float(max(1.0, b / tokens)) for b in grid.batches for _ in grid.kv_lengths]
    options = []
    for rounds, warmup in ((30, 5), (15, 3), (7, 2), (5, 1)):
        seconds = 8.0 + once * sum(calls) * (rounds + warmup)
        options.append(
            Effort(batches=grid.batches, rounds=rounds, warmup=warmup, seconds=seconds, grid=grid)
        )
    return next((one for one in options if one.seconds <= budget_s), options[-1])


def _paths(folder: Path | str, network: Network, label: str) -> Iterator[Path]:
    phases = ("prefill", "decode") if network.task == "language" else ("single",)
    return (Path(folder) / f"{network.name}-{phase}-{label}.npz" for phase in phases)


def _is_there(path: Path, network: Network) -> bool:
    """Whether a sound profile of exactly this network lies there."""
    try:
        provenance: Mapping[str, Any] = ModelProfile.load(path).provenance
    except (FileNotFoundError, ValueError):
        return False
    return provenance.get("model_digest") == network.digest
