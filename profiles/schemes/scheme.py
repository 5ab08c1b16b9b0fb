"""A scheme: one choice for every slot of split computing, put together as one network and its data.

    variant + adapter + heads  ->  network    cut, timed and traced as any other, under any codec
    heads                      ->  tasks      how right the answer to each of several tasks is
    gate                       ->  early      what answers on the device, and for which inputs
    branches + chooser         ->  branches   several networks with their codecs, one of an input
    adapter                    ->  before     how it answered untrained, what training it takes
    transport                  ->  tolerance  what a damaged payload still answers (transport.py)

The simulator sees none of it: only the rows of the trace table and the seconds of both sides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from profiles.models.data.handwriting import Samples
from profiles.models.network import Network
from profiles.models.scores import Metric
from profiles.schemes.adapters import Learning


class Gate(Protocol):
    """Decides on the device, from its own early answer, which inputs end there.

    `after`: the stage that it looks at; `early`: the network from the input to the early answer,
    with that stage as its only one. `spec` says in words what it decides by.
    """

    @property
    def after(self) -> str:
        """The stage."""

    @property
    def early(self) -> Network:
        """The network."""

    @property
    def spec(self) -> str:
        """What it decides by, for provenance and ids."""

    def confidence(self, answers: np.ndarray) -> np.ndarray:
        """How sure early answers [sample, class] are, [sample]."""

    def ends(self, confidence: np.ndarray) -> np.ndarray:
        """Whether the request ends on the device, bool [sample]."""


class Adapter(Protocol):
    """Changes the feature on the device, trained while all else is frozen; keeps its shape.

    `after`: the stage whose output it takes; `before` answers inputs [sample, ...] with scores as
    the whole did while it was untrained; `learning`: what training takes and brings.
    """

    @property
    def after(self) -> str:
        """The stage."""

    @property
    def module(self) -> nn.Module:
        """A feature to a feature."""

    @property
    def before(self) -> Callable[[Tensor], Tensor]:
        """Inputs to scores, untrained."""

    @property
    def learning(self) -> Learning:
        """Its training."""


class Heads(Protocol):
    """Answer several tasks from the feature that the last stage gives, on the server.

    They are the last part of the network; called with a feature [sample, ...] they give the scores
    of all tasks [sample, class], one task's beside the next one's. `heads.py` has ready ones.
    """

    @property
    def tasks(self) -> tuple[str, ...]:
        """What is answered, in order."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """How good the answer to each task is, from the scores of all."""

    def __call__(self, feature: Tensor) -> Tensor:
        """A feature to the scores of all tasks."""

    def weights(self) -> Mapping[str, int]:
        """Parameters by task."""

    def multiply_adds(self) -> Mapping[str, int]:
        """Of a sample, by task."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Branch:
    """One of several ways through a scheme: its head, codec and tail travel together.

    `codec` encodes what crosses the cut, whatever the user's `codec=` says.
    """

    name: str
    network: Network
    codec: Any = field(repr=False)


class Chooser(Protocol):
    """Picks a branch on the device, from the input; `network`: inputs to scores of all branches."""

    @property
    def network(self) -> Network:
        """The network, which the device computes for every input."""

    @property
    def spec(self) -> str:
        """What it decides by, for provenance and ids."""

    def pick(self, scores: np.ndarray) -> np.ndarray:
        """The number of a branch for scores [sample, branch]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scheme:
    """One system of split computing, ready to be traced and timed.

    `network`: the variant with its adapter and its heads in it; `cut`: where it is split unless the
    user says otherwise; `first_cut`: the earliest one at which it still is this scheme ("input":
    any); `brings`: by codec chain the options that it brings, such as learned tables, where the
    user leaves them empty; `samples(split, n)`: inputs and labels of the data that it was trained
    for; `heads`: the part of the network that answers several tasks, None where there is one
    answer; `options`: what the user chose; `provenance`: how it was trained, `trained` in words.
    Where there are `branches`, narrow to wide, `network` is the last one's, and `chooser` picks
    among several. `task` names the one answer where its data can be asked for others; empty: the
    only one that they know.
    """

    name: str
    model: str
    network: Network
    cut: str
    samples: Callable[[str, int], Samples] = field(repr=False)
    first_cut: str = "input"
    gate: Gate | None = None
    branches: tuple[Branch, ...] = ()
    chooser: Chooser | None = None
    adapter: Adapter | None = None
    heads: Heads | None = None
    task: str = ""
    brings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("cut", "first_cut"):
            if getattr(self, name) not in self.cuts:
                allowed = ", ".join(self.cuts)
                raise ValueError(
                    f"scheme {self.name}: {name} must be one of {allowed}, got"
                    f" {getattr(self, name)!r}"
                )
        if tuple(self.network.tasks) != self.tasks:
            raise ValueError(
                f"scheme {self.name}: heads must answer the tasks of its network,"
                f" {', '.join(self.network.tasks) or 'none'}, got {', '.join(self.tasks) or 'none'}"
            )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of what its heads answer, in order; none where there is one answer."""
        return () if self.heads is None else self.heads.tasks

    @property
    def answers(self) -> tuple[str, ...]:
        """What it is known to answer; none where that goes without saying."""
        return self.tasks or ((self.task,) if self.task else ())

    @property
    def cuts(self) -> tuple[str, ...]:
        """Every cut of its network."""
        return ("input", *self.network.stages, "output")

    def check_cut(self, cut: str) -> None:
        """Refuse a cut at which it would not be this scheme.

        Raises:
            ValueError: the cut lies before what the device must compute.
        """
        if self.cuts.index(cut) < self.cuts.index(self.first_cut):
            raise ValueError(
                f"scheme {self.name}: its device computes up to {self.first_cut}, so cut must be"
                f" one of {', '.join(self.cuts[self.cuts.index(self.first_cut) :])}, got {cut!r}"
            )

    def complete(self, codec: Mapping[str, Any]) -> dict[str, Any]:
        """A codec as configured, with what the scheme brings for its chain."""
        own = self.brings.get(str(codec.get("chain")), {})
        return {**codec, **{name: value for name, value in own.items() if not codec.get(name)}}
