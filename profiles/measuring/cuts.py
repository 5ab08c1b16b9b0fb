"""Legal cuts of a network and the two real modules on either side of each.

    input --[ head ]--> one tensor, or several parts --[ tail ]--> answer

`head` followed by `tail` computes the same as the whole network, which is checked on a random input
at every cut of every `split`; both share its weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import fx, nn

from profiles.measuring.composition import check_composition
from profiles.measuring.flops import node_flops
from profiles.measuring.graph import DataFlow, export, leaves
from profiles.measuring.parts import Parts, batch_axis, parts_after
from profiles.measuring.sides import Part, Side, Spread
from profiles.models.network import Network
from profiles.tables import choices
from profiles.tables.layers import Cut


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
    crossings: dict[str, Parts]

    @property
    def cuts(self) -> tuple[str, ...]:
        """Cut names in order."""
        return tuple(self.crossings)

    @property
    def example(self) -> torch.Tensor:
        """The network's example input, repeated to this batch."""
        return _repeat(self.network.example_input, self.batch)

    def head(self, cut: str) -> Side:
        """From the raw input to what crosses."""
        return self._side("input", cut)

    def tail(self, cut: str) -> Side:
        """From what crosses to the answer."""
        return self._side(cut, "output")

    def between(self, first: str, second: str) -> Side:
        """From what crosses at one cut to what crosses at a later one."""
        return self._side(first, second)

    def parts(self, cut: str) -> tuple[Part, ...]:
        """The tensors that cross at a cut."""
        return tuple(_part(node, self.batch) for each in self._nodes(cut) for node in leaves(each))

    def shape(self, cut: str) -> tuple[int, ...]:
        """Shape of one sample of the crossing tensor (the batch dimension dropped).

        Several parts, or answers, count as the row of all their numbers.
        """
        shapes = [part.shape for part in self.parts(cut)]
        return shapes[0] if len(shapes) == 1 else (sum(map(math.prod, shapes)),)

    def describe(self) -> tuple[Cut, ...]:
        """Every cut with its tensor and the FLOPs of one sample on either side."""
        flops = {name: self._flops_before(name) / self.batch for name in self.cuts}
        return tuple(
            Cut(
                name=name,
                shape=self.shape(name),
                dtype=_widest(self.parts(name)),
                head_flops=flops[name],
                tail_flops=flops["output"] - flops[name],
            )
            for name in self.cuts
        )

    def work(self, first: str, second: str) -> Work:
        """Weight bytes, activation bytes of one sample and kernels between two cuts."""
        nodes = self.flow.kernels(self._nodes(first), self._nodes(second))
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
        return sum(self._flops[n] for n in self.flow.needed(self._nodes(cut), []))

    def _nodes(self, cut: str) -> Parts:
        return self.crossings[self.cuts[choices.position("cut", cut, self.cuts)]]

    def _side(self, first: str, second: str) -> Side:
        given, results = self._nodes(first), self._nodes(second)
        module: nn.Module = self.flow.compute(results, given)
        return Side(
            module=(module if len(given) == 1 else Spread(module)).eval(),
            nothing=given == results,
            takes=self.parts(first),
            gives=self.parts(second),
        )


def split(network: Network, *, batch: int = 1, stages: Sequence[str] | None = None) -> Split:
    """Export `network` and find its cuts: the network's own stages, or the `stages` named.

    Raises:
        UnexportableError: torch.export stopped, or the network keeps state; the operator is named.
        CompositionError: tail after head is not what the module computes on a random input.
        ValueError: after one of the stages a tensor crosses of which no dimension is the batch, or
            the stages stand in another order than in the network.
    """
    if batch < 1:
        raise ValueError(f"batch must be >= 1, got {batch}")
    example = _repeat(network.example_input, batch)
    flow = export(network.module, [example], name=network.name)
    crossings: dict[str, Parts] = {"input": (flow.data,)}
    before = crossings["input"]
    for stage in network.stages if stages is None else stages:
        before = crossings[stage] = parts_after(flow, stage, before, batch)
    _check_order(flow, crossings)
    crossings["output"] = (flow.answer,)
    parts = Split(network=network, batch=batch, flow=flow, crossings=crossings)
    sides = ((cut, parts.head(cut).module, parts.tail(cut).module) for cut in parts.cuts)
    check_composition(network.name, network.module, sides, flow.program, example)
    return parts


def _check_order(flow: DataFlow, crossings: dict[str, Parts]) -> None:
    place = {node: at for at, node in enumerate(flow.path)}
    for (one, before), (other, after) in pairwise(crossings.items()):
        if max(place[node] for node in before) > max(place[node] for node in after):
            raise ValueError(f"stages must stand in the order of the network: {other!r} comes "
                             f"before {one!r}")  # fmt: skip


def _repeat(example: torch.Tensor, batch: int) -> torch.Tensor:
    return example.repeat(batch, *(1,) * (example.ndim - 1)).contiguous()


def _part(node: fx.Node, batch: int) -> Part:
    """The part that a node is; an answer without the batch in it counts by its first axis."""
    value, axis = _tensor(node), batch_axis(node, batch) or 0
    shape = (*value.shape[:axis], *value.shape[axis + 1 :])
    return Part(dtype=value.dtype, axis=axis, shape=tuple(shape))


def _widest(parts: Sequence[Part]) -> str:
    """The type of the part of most numbers."""
    most = max(parts, key=lambda part: math.prod(part.shape))
    return str(most.dtype).removeprefix("torch.")


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
