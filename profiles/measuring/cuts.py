"""Legal cuts of a network and the two real modules on either side of each.

    input --[ head ]--> one tensor --[ tail ]--> answer

`head` followed by `tail` computes the same as the whole network; both share its weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx, nn
from torch.utils.flop_counter import FlopCounterMode

from profiles.measuring.graph import DataFlow, export
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
        """Run it without recording gradients."""
        y = self.module(x)
        assert isinstance(y, torch.Tensor)
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
        """Shape of one sample of the crossing tensor (the batch dimension dropped)."""
        return tuple(self._value(cut).shape[1:])

    def describe(self) -> tuple[Cut, ...]:
        """Every cut with its tensor and the FLOPs of one sample on either side."""
        x, total = self.example, _flops(self.head("output"), self.example)
        described = []
        for name in self.cuts:
            before = _flops(self.head(name), x)
            described.append(
                Cut(
                    name=name,
                    shape=self.shape(name),
                    dtype=str(self._value(name).dtype).removeprefix("torch."),
                    head_flops=before / self.batch,
                    tail_flops=(total - before) / self.batch,
                )
            )
        return tuple(described)

    def work(self, first: str, second: str) -> Work:
        """Weight bytes, activation bytes of one sample and kernels between two cuts."""
        nodes = self.flow.kernels(self._node(first), self._node(second))
        moved = sum(_bytes(other) for n in nodes for other in (n, *n.all_input_nodes))
        weights = {w for n in nodes for w in n.all_input_nodes if w.op == "get_attr"}
        weight_bytes = sum(_bytes(w) for w in weights)
        activations = (moved - weight_bytes) / self.batch
        return Work(weight_bytes=weight_bytes, activation_bytes=activations, kernels=len(nodes))

    def _node(self, cut: str) -> fx.Node:
        return self.crossings[self.cuts[choices.position("cut", cut, self.cuts)]]

    def _value(self, cut: str) -> torch.Tensor:
        value = self._node(cut).meta["val"]
        assert isinstance(value, torch.Tensor)
        return value

    def _side(self, given: fx.Node, result: fx.Node) -> Side:
        return Side(module=self.flow.compute([result], [given]).eval(), nothing=given is result)


def split(network: Network, *, batch: int = 1, stages: Sequence[str] | None = None) -> Split:
    """Export `network` and find its cuts: the network's own stages, or the `stages` named.

    Raises:
        UnexportableError: torch.export stopped; the operator is named.
        ValueError: after one of the stages more than one tensor crosses.
    """
    if batch < 1:
        raise ValueError(f"batch must be >= 1, got {batch}")
    flow = export(network.module, [_repeat(network.example_input, batch)], name=network.name)
    wanted = network.stages if stages is None else tuple(stages)
    crossings = {"input": flow.data}
    crossings |= {stage: flow.crossing_of(stage) for stage in wanted}
    return Split(
        network=network, batch=batch, flow=flow, crossings={**crossings, "output": flow.answer}
    )


def _repeat(example: torch.Tensor, batch: int) -> torch.Tensor:
    return example.repeat(batch, *(1,) * (example.ndim - 1)).contiguous()


def _bytes(node: fx.Node) -> int:
    """Bytes of a node's value; parameters carry theirs in the program."""
    value = node.meta.get("val")
    if node.op == "get_attr":
        value = node.graph.owning_module
        for name in str(node.target).split("."):
            value = getattr(value, name)
    return value.numel() * value.element_size() if isinstance(value, torch.Tensor) else 0


def _flops(side: Side, x: torch.Tensor) -> float:
    """FLOPs of one call, a multiply-add counted as two."""
    if side.nothing:
        return 0.0
    with FlopCounterMode(display=False) as counter:
        side(x)
    return float(counter.get_total_flops())
