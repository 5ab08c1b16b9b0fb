"""The profiles that the repository ships: measured by one command, found again by model.

    resnet34-single-1.npz                a phase ("single", "prefill", "decode") on 1 CPU thread
    resnet34-single-h100.npz             the same on a GPU, under the name of its data sheet
    resnet34-single-h100-graph-fp16.npz  the same in CUDA graphs, in another precision

A profile that is there, of the same network and measured in the same way, is not measured again.
One around which the machine drifted by more than 15 %, or whose seconds fall with the batch, is not
kept.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from profiles import models
from profiles.measuring import decoding, timing
from profiles.measuring.anchor import REFUSED
from profiles.measuring.clock import clock_of
from profiles.measuring.conditions import doubts
from profiles.measuring.deployment import Deployment, own_precision
from profiles.measuring.timing import Progress
from profiles.models.network import Network
from profiles.shipping.effort import BUDGET_S, Effort, effort
from profiles.tables.hardware import THIS
from profiles.tables.layers import ModelProfile

DATA = Path(__file__).parent.parent / "data"
GPU_MODELS = ("resnet34", "mobilenet_v2", "vgg16", "swin_t", "scenes", "llama2_7b")


def measure(
    network: Network,
    how: Effort,
    *,
    hardware: str = THIS,
    n_threads: int = 1,
    device: str = "cpu",
    precision: str = "auto",
    mode: str = "auto",
    progress: Progress | None = None,
) -> dict[str, ModelProfile]:
    """Profiles by phase: "single" for vision; "prefill" and "decode" for language."""
    common: dict[str, Any] = {
        "hardware": hardware,
        "rounds": how.rounds,
        "warmup": how.warmup,
        "n_threads": n_threads,
        "device": device,
        "precision": precision,
        "mode": mode,
        "budget_s": how.budget_s,
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
    precision: str = "auto",
    mode: str = "auto",
    threads: Sequence[int] = (1, 2),
    budget_s: float = BUDGET_S,
    machine: str = "",
    folder: Path | str = DATA / "profiles",
    say: Callable[[str], None] = print,
    progress: Callable[[str], Progress] | None = None,
) -> list[Path]:
    """Measure every network (or those named) into `folder`; return what was written.

    On a GPU those of `GPU_MODELS`, by default as CUDA graphs in half precision. `machine`: the name
    of its sheet, unless the GPU tells it. A network that is there already is passed over, so that
    an interrupted run goes on where it stopped. `say` gets a line beforehand and lines afterwards.
    """
    clock_of(device)
    wanted = Deployment(device=device, precision=precision, mode=mode)
    chosen = tuple(names) or (models.names() if device == "cpu" else GPU_MODELS)
    written = []
    for at, name in enumerate(chosen, 1):
        network = models.create(name)
        for n_threads in threads if device == "cpu" else (1,):
            label = label_of(wanted.resolve(network), network, n_threads)
            if all(_is_there(path, network) for path in _paths(folder, network, label)):
                say(f"{name} on {label}: there already")
                continue
            at_hand: dict[str, Any] = {
                "n_threads": n_threads, "device": device, "precision": precision, "mode": mode,
            }  # fmt: skip
            try:
                how = effort(network, budget_s=budget_s, **at_hand)
                say(f"{at}/{len(chosen)} {name} on {label}: {how}")
                profiles = measure(
                    network, how, hardware=machine or hardware_name(device), **at_hand,
                    progress=None if progress is None else progress(name),
                )  # fmt: skip
            except (ValueError, RuntimeError) as error:  # the others are measured all the same
                say(f"{name} on {label}: not measured: {next(iter(str(error).splitlines()), '')}")
                continue
            for phase, profile in profiles.items():
                path = Path(folder) / f"{name}-{phase}-{label}.npz"
                written += _keep(profile, path, say)
    return written


def label_of(how: Deployment, network: Network, n_threads: int) -> str:
    """What stands behind the phase in a file's name: threads or GPU, and how it was deployed unless
    eager in the network's own precision.
    """
    where = str(n_threads) if how.device == "cpu" else hardware_name(how.device)
    if (how.mode, how.precision) == ("eager", own_precision(network.module)):
        return where
    return f"{where}-{how.mode}-{how.precision}"


def _keep(profile: ModelProfile, path: Path, say: Callable[[str], None]) -> list[Path]:
    """Write a profile unless it is not to be relied on; say what speaks against it."""
    refused = abs(profile.provenance["anchor_drift"]) > REFUSED or "falls" in profile.provenance
    for doubt in doubts(profile):
        say(f"  {path.name}: {doubt}")
    if refused:
        say(f"  {path.name}: not written; measure again while the machine does nothing else")
        return []
    profile.save(path)
    say(f"  {path.name}: whole {1e3 * whole_s(profile):.2f} ms")
    return [path]


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
