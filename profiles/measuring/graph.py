"""A network as a data-flow graph: live sets and the places where one tensor alone crosses.

The graph is torch.export's (strict=False), shapes fixed by the example. Parameters, buffers and
what is computed from them alone stand on both sides and never cross; a view counts as its base;
resident inputs (a layer's KV cache) stay on the side of the layer that uses them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import fx, nn

from profiles.measuring.refusal import refusal, silence


class UnexportableError(ValueError):
    """torch.export stopped; the message names the operator, the line and what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DataFlow:
    """The exported graph; its first placeholder is the data, its first result the answer.

    Every further placeholder is resident state, every further result the state handed back.
    """

    program: fx.GraphModule
    inputs: tuple[fx.Node, ...]
    results: tuple[fx.Node, ...]

    @property
    def data(self) -> fx.Node:
        """The placeholder of the raw input."""
        return self.inputs[0]

    @property
    def answer(self) -> fx.Node:
        """The node whose value is the network's answer."""
        return self.results[0]

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
        return tuple(node for node in self.path if {*self.live[node]} == {node})

    def crossing_of(self, stage: str) -> fx.Node:
        """The crossing after a submodule, by its dotted name.

        Raises:
            ValueError: nothing of it is on the path, or more than one tensor crosses after it.
        """
        inside = [node for node in self.path if _within(node, stage)]
        if not inside:
            raise ValueError(f"stage {stage!r} is not on the way from input to answer")
        node = inside[-1]
        while node not in self.crossings and _is_view(node) and node.all_input_nodes[0] in inside:
            node = node.all_input_nodes[0]
        if node not in self.crossings:
            names = ", ".join(sorted({_base(other).name for other in self.live[node]}))
            raise ValueError(f"after stage {stage!r} more than one tensor crosses: {names}")
        return node

    def compute(self, results: Sequence[fx.Node], given: Sequence[fx.Node]) -> fx.GraphModule:
        """A module from the values of `given` to those of `results`, weights shared.

        Raises:
            ValueError: a result also needs an input that is not given.
        """
        needed = _closure(results, lambda n: () if n in given else n.all_input_nodes)
        stray = [n.name for n in needed if n.op == "placeholder" and n not in given]
        if stray:
            raise ValueError(f"{results[0].name} also needs {', '.join(sorted(stray))}")
        graph = fx.Graph()
        copies = {node: graph.placeholder(node.name) for node in given}
        for node in self.program.graph.nodes:
            if node in needed and node not in copies:
                copies[node] = graph.node_copy(node, copies.__getitem__)
            if node in given and self._is_written(node, needed):
                copies[node] = graph.call_function(torch.ops.aten.clone.default, (copies[node],))
        values = tuple(copies[node] for node in results)
        graph.output(values[0] if len(values) == 1 else values)
        return fx.GraphModule(self.program, graph)

    def _is_written(self, tensor: fx.Node, needed: set[fx.Node]) -> bool:
        """Whether one of the needed nodes writes into `tensor` in place."""
        writers = [n for n in needed if _is_write(n)]
        return any(_base(node.all_input_nodes[0]) is tensor for node in writers)

    def kernels(self, after: fx.Node, until: fx.Node) -> list[fx.Node]:
        """Nodes that compute something between two crossings, the first excluded."""
        first, last = self.path.index(after), self.path.index(until)
        return [node for node in self.path[first + 1 : last + 1] if not _is_view(node)]


def export(module: nn.Module, example: Sequence[torch.Tensor], *, name: str) -> DataFlow:
    """Export `module` at the shapes of `example`.

    Raises:
        UnexportableError: torch.export cannot; the operator and the way out are named.
    """
    with torch.no_grad(), silence() as printed:
        try:
            program = torch.export.export(module, tuple(example), strict=False).module()
        except Exception as error:
            words = refusal(name, error, own=__file__, printed=printed.getvalue())
            raise UnexportableError(words) from error
    assert isinstance(program, fx.GraphModule)
    nodes = list(program.graph.nodes)
    inputs = tuple(node for node in nodes if node.op == "placeholder")
    results = tuple(nodes[-1].all_input_nodes)
    return DataFlow(program=program, inputs=inputs, results=results)


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


def _within(node: fx.Node, stage: str) -> bool:
    stack = node.meta.get("nn_module_stack", {})
    paths = [str(entry[0]).split("@")[0] for entry in stack.values()]
    return any(path == stage or path.startswith(f"{stage}.") for path in paths)


def _is_view(node: fx.Node) -> bool:
    """Whether the operator returns a view of its first argument (aliases without writing)."""
    if not isinstance(node.target, torch._ops.OpOverload) or not node.all_input_nodes:
        return False
    returns = node.target._schema.returns
    return bool(returns) and all(r.alias_info and not r.alias_info.is_write for r in returns)


def _is_write(node: fx.Node) -> bool:
    """Whether the operator changes its first argument."""
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable


def _base(node: fx.Node) -> fx.Node:
    while _is_view(node):
        node = node.all_input_nodes[0]
    return node
