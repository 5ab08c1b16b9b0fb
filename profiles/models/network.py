"""A network as the rest of the project sees it: a module, an example input and its cut names."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from profiles.models.scores import Metric, accuracy

TASKS = ("classify", "segment", "regress", "language", "several")
WEIGHTS = ("trained", "random")


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A network in eval mode with everything a profile or a trace needs to know of it.

    `module` takes one tensor and gives one tensor (a network that is only timed may give several):
    uint8 images [batch, height, width, channel]
    to class scores [batch, class], or int64 tokens [batch, token] to scores [batch, token, class].
    Normalisation is part of the module, so that a decoded JPEG feeds it as it is.
    `stages` are dotted names of submodules, in order, after which one tensor alone crosses.
    `weights` says whether the parameters were learnt ("trained") or drawn ("random"): with random
    ones no accuracy may be reported. `copies` > 1 says that the module holds one real layer of that
    many identical ones. `digest` is the content hash of all parameters and buffers. `metric` says
    how good each answer is (`scores.py`), `answer_bytes` how long it is on the way back; where one
    answer holds those to `several` tasks, `tasks` says the metric of each by name. `origin` is
    FILE.py:FUNCTION where a user's function made it.
    Raises ValueError where a field contradicts the module.
    """

    name: str
    module: nn.Module = field(repr=False)
    example_input: torch.Tensor = field(repr=False)
    stages: tuple[str, ...]
    weights: str
    digest: str
    task: str = "classify"
    copies: int = 1
    metric: Metric = accuracy
    answer_bytes: int = 4
    tasks: Mapping[str, Metric] = field(default_factory=dict)
    origin: str = ""

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"network.task must be one of {', '.join(TASKS)}, got {self.task!r}")
        if self.weights not in WEIGHTS:
            allowed = ", ".join(WEIGHTS)
            raise ValueError(f"network.weights must be one of {allowed}, got {self.weights!r}")
        training = [name for name, part in self.module.named_modules() if part.training]
        if training:
            which = f", its part {training[0]!r} is not" if training[0] else ""
            raise ValueError(f"network.module of {self.name!r} must be in eval mode{which}")
        known = {name for name, _ in self.module.named_modules(remove_duplicate=False)}
        missing = [stage for stage in self.stages if stage not in known]
        if missing:
            raise ValueError(f"network.stages names no module of {self.name!r}: {missing[0]!r}")

    @property
    def kind_of_input(self) -> str:
        """The kind of codec for the raw input: "input" for bytes (images), else "feature"."""
        return "input" if self.example_input.dtype == torch.uint8 else "feature"

    @property
    def n_parameters(self) -> int:
        """Number of parameters (buffers such as BatchNorm's running statistics do not count)."""
        return sum(p.numel() for p in self.module.parameters())


def content_digest(module: nn.Module) -> str:
    """Hash the names, types, shapes and bytes of all parameters and buffers (16 hex digits)."""
    digest = hashlib.sha256()
    for name, tensor in _state(module):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _state(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The state of a module in the order of names, batch counters left out."""
    for name, tensor in sorted(module.state_dict().items()):
        if not name.endswith("num_batches_tracked"):
            yield name, tensor.detach().cpu()
