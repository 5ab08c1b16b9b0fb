"""Legal cuts of a network and the two real modules on either side of each.

    input --[ head ]--> one tensor --[ tail ]--> answer

`head` followed by `tail` computes the same as the whole network, which is checked on a random input
at every cut of every `split`; both share its weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import fx, nn

from profiles.measuring.composition import check_composition
from profiles.measuring.flops import node_flops
from profiles.measuring.graph import DataFlow, export, leaves
from profiles.models.network import Network
from profiles.tables import choices
from profiles.tables.layers import Cut


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One side of a cut as a module of one tensor; `nothing` is true where it only hands on."""

    module: nn.Module
    nothing: bool

    @torch.inference_mode()
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Run it without recording gradients.

        Raises:
            ValueError: it gives several answers, which only `module` hands out.
        """
        y = self.module(x)
        if not isinstance(y, torch.Tensor):
            raise ValueError(f"the network gives {len(y)} answers; to be judged it must give one")
        return y


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one segment reads and writes: weights once a call, activations once a sample."""

    weight_bytes: float
    activation_bytes: float
    kernels: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A network exported at one batch size, with its cuts from "input" to "output"."""

    network: Network
    batch: int
    flow: DataFlow
    crossings: dict[str, fx.Node]

    @property
    def cuts(self) -> tuple[str, ...]:
        """Cut names in order."""
        return tuple(self.crossings)

    @property
    def example(self) -> torch.Tensor:
        """The network's example input, repeated to this batch."""
        return _repeat(self.network.example_input, self.batch)

    def head(self, cut: str) -> Side:
        """From the raw input to the crossing tensor."""
        return self._side(self.flow.data, self._node(cut))

    def tail(self, cut: str) -> Side:
        """From the crossing tensor to the answer."""
        return self._side(self._node(cut), self.flow.answer)

    def between(self, first: str, second: str) -> Side:
        """From the crossing tensor of one cut to that of a later one."""
        return self._side(self._node(first), self._node(second))

    def shape(self, cut: str) -> tuple[int, ...]:
        """Shape of one sample of the crossing tensor (the batch dimension dropped).

        Several answers count as the row of all their numbers.
        """
        values = [_tensor(leaf) for leaf in leaves(self._node(cut))]
        if len(values) == 1:
            return tuple(values[0].shape[1:])
        return (sum(value.numel() for value in values) // self.batch,)

    def describe(self) -> tuple[Cut, ...]:
        """Every cut with its tensor and the FLOPs of one sample on either side."""
        flops = {name: self._flops_before(name) / self.batch for name in self.cuts}
        return tuple(
            Cut(
                name=name,
                shape=self.shape(name),
                dtype=str(_tensor(leaves(self._node(name))[0]).dtype).removeprefix("torch."),
                head_flops=flops[name],
                tail_flops=flops["output"] - flops[name],
            )
            for name in self.cuts
        )

    def work(self, first: str, second: str) -> Work:
        """Weight bytes, activation bytes of one sample and kernels between two cuts."""
        nodes = self.flow.kernels(self._node(first), self._node(second))
        moved = sum(_bytes(other) for n in nodes for other in (n, *n.all_input_nodes))
        weights = {w for n in nodes for w in n.all_input_nodes if w.op == "get_attr"}
        weight_bytes = sum(_bytes(w) for w in weights)
        activations = (moved - weight_bytes) / self.batch
        return Work(weight_bytes=weight_bytes, activation_bytes=activations, kernels=len(nodes))

    @cached_property
    def _flops(self) -> dict[fx.Node, float]:
        """FLOPs of every node that the answer needs."""
        needed = self.flow.needed([self.flow.answer], [])
        return {node: node_flops(node, self.flow.program) for node in needed}

    def _flops_before(self, cut: str) -> float:
        return sum(self._flops[n] for n in self.flow.needed([self._node(cut)], []))

    def _node(self, cut: str) -> fx.Node:
        return self.crossings[self.cuts[choices.position("cut", cut, self.cuts)]]

    def _side(self, given: fx.Node, result: fx.Node) -> Side:
        return Side(module=self.flow.compute([result], [given]).eval(), nothing=given is result)


def split(network: Network, *, batch: int = 1, stages: Sequence[str] | None = None) -> Split:
    """Export `network` and find its cuts: the network's own stages, or the `stages` named.

    Raises:
        UnexportableError: torch.export stopped, or the network keeps state; the operator is named.
        CompositionError: tail after head is not what the module computes on a random input.
        ValueError: after one of the stages more than one tensor crosses, none whose first
            dimension is the batch, or one of an earlier stage.
    """
    if batch < 1:
        raise ValueError(f"batch must be >= 1, got {batch}")
    example = _repeat(network.example_input, batch)
    flow = export(network.module, [example], name=network.name)
    wanted = network.stages if stages is None else tuple(stages)
    crossings = {stage: flow.crossing_of(stage) for stage in wanted}
    _check_order(flow, crossings)
    _check_batch(crossings, batch)
    crossings = {"input": flow.data, **crossings, "output": flow.answer}
    parts = Split(network=network, batch=batch, flow=flow, crossings=crossings)
    sides = ((cut, parts.head(cut).module, parts.tail(cut).module) for cut in parts.cuts)
    check_composition(network.name, network.module, sides, flow.program, example)
    return parts


def _check_order(flow: DataFlow, crossings: dict[str, fx.Node]) -> None:
    place = {node: at for at, node in enumerate(flow.path)}
    for (one, before), (other, after) in pairwise(crossings.items()):
        if place[before] > place[after]:
            raise ValueError(f"stages must stand in the order of the network: {other!r} comes "
                             f"before {one!r}")  # fmt: skip


def _check_batch(crossings: dict[str, fx.Node], batch: int) -> None:
    for stage, node in crossings.items():
        shape = tuple(_tensor(node).shape)
        if not shape or shape[0] != batch:
            raise ValueError(
                f"after stage {stage!r} a tensor of shape {shape} crosses; "
                f"its first dimension must be the batch, {batch}"
            )


def _repeat(example: torch.Tensor, batch: int) -> torch.Tensor:
    return example.repeat(batch, *(1,) * (example.ndim - 1)).contiguous()


def _tensor(node: fx.Node) -> torch.Tensor:
    value = node.meta["val"]
    assert isinstance(value, torch.Tensor)
    return value


def _bytes(node: fx.Node) -> int:
    """Bytes of a node's value, of several values those in use; parameters lie in the program."""
    value = node.meta.get("val")
    if node.op == "get_attr":
        value = node.graph.owning_module
        for name in str(node.target).split("."):
            value = getattr(value, name)
    if isinstance(value, tuple | list):
        return sum(_bytes(user) for user in node.users)
    return value.numel() * value.element_size() if isinstance(value, torch.Tensor) else 0
