"""A network as a data-flow graph: live sets, and what is computed between two places of it.

The graph is torch.export's (strict=False), shapes fixed by the example. Where the network writes in
place, into a tensor or a view of one, the graph is the one that `run_decompositions({})` makes of
it: every write gives a new tensor, so that what a later node reads is what was written. Parameters,
buffers and what is computed from them alone stand on both sides and never cross; a view counts as
its base. Several answers are all the network's answer: no cut lies between them.

Approximation: an in-place operator is timed as the one that makes a new tensor.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import getitem
from typing import Any

import torch
from torch import fx, nn

from profiles.measuring.refusal import refusal
from profiles.models.silence import silence


class UnexportableError(ValueError):
    """The network cannot be computed in two halves; the message names the operator and why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DataFlow:
    """The exported graph of one tensor of data; `answer` is one node, or the output of several."""

    program: fx.GraphModule
    data: fx.Node
    answer: fx.Node

    @cached_property
    def path(self) -> tuple[fx.Node, ...]:
        """Nodes, in order, that depend on the data and that the answer depends on."""
        downstream = _closure([self.data], lambda node: node.users)
        upstream = _closure([self.answer], lambda node: node.all_input_nodes)
        return tuple(n for n in self.program.graph.nodes if n in downstream and n in upstream)

    @cached_property
    def live(self) -> dict[fx.Node, tuple[fx.Node, ...]]:
        """After each node of the path: the tensors that later nodes still need."""
        position = {node: index for index, node in enumerate(self.path)}
        last = {
            node: max((position[user] for user in node.users if user in position), default=index)
            for node, index in position.items()
        }
        last[self.answer] = len(position)
        sets: dict[fx.Node, tuple[fx.Node, ...]] = {}
        alive: list[fx.Node] = []
        for index, node in enumerate(self.path):
            alive = [other for other in [*alive, node] if last[other] > index]
            sets[node] = tuple(alive)
        return sets

    @cached_property
    def crossings(self) -> tuple[fx.Node, ...]:
        """Nodes after which their own value is all that is live: the single-tensor cuts.

        These are the nodes that dominate the answer, so any order of execution gives the same.
        """
        return tuple(n for n in self.path if {*self.live[n]} == {n} and _is_one_tensor(n))

    def compute(self, results: Sequence[fx.Node], given: Sequence[fx.Node]) -> fx.GraphModule:
        """A module from the values of `given` to those of `results`, weights shared.

        Raises:
            ValueError: a result also needs an input that is not given.
        """
        if list(results) == list(given):
            return fx.GraphModule(self.program, _identity(len(given)))
        needed = self.needed(results, given)
        stray = [n.name for n in needed if n.op == "placeholder" and n not in given]
        if stray:
            raise ValueError(f"{results[0].name} also needs {', '.join(sorted(stray))}")
        graph = fx.Graph()
        copies = {node: graph.placeholder(node.name) for node in given}
        for node in self.program.graph.nodes:
            if node in needed and node not in copies and node.op != "output":
                copies[node] = graph.node_copy(node, copies.__getitem__)
        values = tuple(copies[leaf] for node in results for leaf in leaves(node))
        graph.output(values[0] if len(values) == 1 else values)
        return fx.GraphModule(self.program, graph)

    def needed(self, results: Iterable[fx.Node], given: Iterable[fx.Node]) -> set[fx.Node]:
        """Every node that `results` depend on, no further than `given`; both included."""
        ends = {*given}
        return _closure(results, lambda n: () if n in ends else n.all_input_nodes)

    def kernels(self, given: Sequence[fx.Node], results: Sequence[fx.Node]) -> list[fx.Node]:
        """Nodes that compute something of the data between what is given and the results."""
        between = self.needed(results, given) - {*given}
        return [node for node in self.path if node in between and _is_kernel(node)]


def export(module: nn.Module, example: Sequence[torch.Tensor], *, name: str) -> DataFlow:
    """Export `module` at the shapes of `example`, of which the first is the data.

    Raises:
        UnexportableError: torch.export cannot, or the answer depends on what an earlier call left
            behind or on no data at all; the operator and the way out are named.
    """
    with torch.no_grad(), silence() as printed:
        try:
            exported = torch.export.export(module, tuple(example), strict=False)
            if any(_writes(node) or holds_programs(node) for node in exported.graph.nodes):
                exported = exported.run_decompositions({})
            program = exported.module()
        except Exception as error:
            words = refusal(name, error, own=__file__, printed=printed.getvalue())
            raise UnexportableError(words) from error
    assert isinstance(program, fx.GraphModule)
    nodes = list(program.graph.nodes)
    answers = leaves(nodes[-1])
    flow = DataFlow(
        program=program,
        data=next(node for node in nodes if node.op == "placeholder"),
        answer=answers[0] if len(answers) == 1 else nodes[-1],
    )
    _refuse_state(flow, name)
    return flow


def leaves(node: fx.Node) -> tuple[fx.Node, ...]:
    """The tensors that a node stands for: several for the output of a graph, else itself."""
    if node.op != "output":
        return (node,)
    flat = torch.utils._pytree.tree_leaves(node.args)
    return tuple(leaf for leaf in flat if isinstance(leaf, fx.Node))


def _refuse_state(flow: DataFlow, name: str) -> None:
    """Refuse an answer that reads what the network writes into itself, or that reads no data."""
    needed = flow.needed([flow.answer], [])
    if flow.data not in needed:
        raise UnexportableError(f"{name} cannot be cut: its answer does not depend on its input")
    for node in flow.program.graph.nodes:
        if not _writes(node):
            continue
        kept, *values = node.all_input_nodes
        if node in needed or (kept.op == "get_attr" and kept in needed):
            operator = values[-1].target if values and node not in needed else node.target
            where = kept.target if kept.op == "get_attr" else kept.name
            raise UnexportableError(
                f"{name} cannot be cut: {operator} writes {where}, which the answer reads; "
                "a network must keep nothing from one call to the next"
            )


def _identity(n: int) -> fx.Graph:
    """A graph that hands on its `n` inputs."""
    graph = fx.Graph()
    given = tuple(graph.placeholder(f"x{at}") for at in range(n))
    graph.output(given[0] if n == 1 else given)
    return graph


def _closure(start: Iterable[fx.Node], step: object) -> set[fx.Node]:
    """Everything reached from `start` by `step`, `start` included."""
    assert callable(step)
    seen: set[fx.Node] = set()
    todo = list(start)
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(step(node))
    return seen


def within(node: fx.Node, stage: str) -> bool:
    """Whether a node was computed inside of a submodule, by its dotted name."""
    stack = node.meta.get("nn_module_stack", {})
    paths = [str(entry[0]).split("@")[0] for entry in stack.values()]
    return any(path == stage or path.startswith(f"{stage}.") for path in paths)


def is_view(node: fx.Node) -> bool:
    """Whether the operator returns a view of its first argument (aliases without writing)."""
    if not isinstance(node.target, torch._ops.OpOverload) or not node.all_input_nodes:
        return False
    returns = node.target._schema.returns
    return bool(returns) and all(r.alias_info and not r.alias_info.is_write for r in returns)


def _is_kernel(node: fx.Node) -> bool:
    """Whether a node computes: no view, no choice of one result among several, no output.

    Approximation: a change of type belongs to the operator that reads it.
    """
    if node.op != "call_function" or node.target in (getitem, torch.ops.aten._to_copy.default):
        return False
    return not is_view(node)


def _is_one_tensor(node: fx.Node) -> bool:
    return node.op == "output" or isinstance(node.meta.get("val"), torch.Tensor)


def _writes(node: fx.Node) -> bool:
    """Whether an operator may change one of its arguments."""
    target: Any = node.target
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def holds_programs(node: fx.Node) -> bool:
    """Whether a node runs programs of its own, such as the branches of torch.cond."""
    return isinstance(node.target, torch._ops.HigherOrderOperator)
