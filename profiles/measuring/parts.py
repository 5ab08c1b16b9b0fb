"""What crosses after a stage: one tensor, or several that make one payload.

    x -> a -> b -> cat(a, b) -> ...        after b the parts are a and b

Where one tensor dominates the answer it crosses alone. Elsewhere everything that is live crosses:
of views of one tensor that tensor, and a value that is computed element by element from one that is
smaller (a float mask from its bits) as that smaller one, which the tail computes on. Every part has
an axis that is the batch.

Approximation: which axis it is follows from its length; of several of that length the first.
"""

from collections.abc import Iterator, Sequence
from operator import getitem

import torch
from torch import fx

from profiles.measuring.graph import DataFlow, holds_programs, is_view, within

_CHEAP = ("_to_copy", "clone", "zeros_like", "ones_like", "full_like", "masked_fill", "where")
"""Names of operators that compute element by element, besides those that torch tags so."""

Parts = tuple[fx.Node, ...]


def parts_after(flow: DataFlow, stage: str, before: Sequence[fx.Node], batch: int) -> Parts:
    """The tensors that cross after a submodule, by its dotted name, in the order of the network.

    `before` are the parts of the cut before it, from which these must follow.

    Raises:
        ValueError: nothing of it is on the path, or a part of it has no axis that is the batch.
    """
    own = [node for node in flow.path if within(node, stage)]
    if not own:
        hidden = {str(node.target) for node in flow.path if holds_programs(node)}
        inside = f" (or inside of {', '.join(sorted(hidden))})" if hidden else ""
        raise ValueError(f"stage {stage!r} is not on the way from input to answer{inside}")
    parts = _alone(flow, own) or _together(flow, own[-1], before)
    for node in parts:
        if batch_axis(node, batch) is None:
            others = [other.name for other in parts if other is not node]
            beside = f" beside {', '.join(others)}" if others else ""
            raise ValueError(
                f"after stage {stage!r} a tensor of shape {tuple(_tensor(node).shape)} crosses "
                f"({node.name}{beside}); one of its dimensions must be the batch, {batch}"
                f"{_nearest(flow, own[-1], batch)}"
            )
    return parts


def batch_axis(node: fx.Node, batch: int) -> int | None:
    """The axis of a tensor that is the batch: the first of that length; None where there is none.

    Of a batch of one every axis of length 1 will do.
    """
    shape = tuple(_tensor(node).shape)
    return shape.index(batch) if batch in shape else None


def _alone(flow: DataFlow, own: Sequence[fx.Node]) -> Parts:
    """The one tensor that crosses after these nodes; none where there are several."""
    node = own[-1]
    while node not in flow.crossings and is_view(node) and node.all_input_nodes[0] in own:
        node = node.all_input_nodes[0]
    return (node,) if node in flow.crossings else ()


def _together(flow: DataFlow, last: fx.Node, before: Sequence[fx.Node]) -> Parts:
    """All that is live after a node, made as few and as small as it goes."""
    live = list(dict.fromkeys(each for node in flow.live[last] for each in _tensors(flow, node)))
    small = {_shrink(flow, node) for node in live}
    small = {node for node in small if not small & {*_bases(node)}}
    if flow.data not in before and flow.data in flow.needed(small, before):
        small = {*live}  # a smaller one lies before the cut before
    return tuple(node for node in flow.path if node in small)


def _tensors(flow: DataFlow, node: fx.Node) -> Iterator[fx.Node]:
    """A node, or what is taken out of it where it gives several tensors."""
    if isinstance(node.meta.get("val"), torch.Tensor):
        yield node
    else:
        for user in node.users:
            if user.target is getitem and user in flow.path:
                yield from _tensors(flow, user)


def _shrink(flow: DataFlow, node: fx.Node) -> fx.Node:
    """The smallest tensor from which this one is computed element by element; often itself."""
    on_path = {*flow.path}
    cheap, todo, ends = set(), [node], set()
    while todo:
        each = todo.pop()
        if each in cheap or each not in on_path:
            continue
        ends.add(each)
        if _is_cheap(each):
            cheap.add(each)
            todo.extend(each.all_input_nodes)
    for end in sorted(ends, key=_size):
        inner = (flow.needed([node], [end]) & on_path) - {end}
        if _size(end) < _size(node) and inner <= cheap:
            return end
    return node


def _bases(node: fx.Node) -> Iterator[fx.Node]:
    """The tensors of which this one is a view."""
    while is_view(node):
        node = node.all_input_nodes[0]
        yield node


def _is_cheap(node: fx.Node) -> bool:
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    name = node.target.overloadpacket.__name__
    return is_view(node) or name in _CHEAP or torch.Tag.pointwise in node.target.tags


def _size(node: fx.Node) -> int:
    value = node.meta.get("val")
    return value.numel() * value.element_size() if isinstance(value, torch.Tensor) else 2**62


def _nearest(flow: DataFlow, last: fx.Node, batch: int) -> str:
    """In words: the legal cuts next to a node, on either side."""
    place = {node: at for at, node in enumerate(flow.path)}
    ends = {name: node for node in flow.path for name in _modules(node)}
    legal = [(place[node], name) for name, node in ends.items() if _is_legal(flow, name, batch)]
    sides = {
        "before": max((each for each in legal if each[0] < place[last]), default=None),
        "after": min((each for each in legal if each[0] > place[last]), default=None),
    }
    found = [f"{side} it {each[1]!r}" for side, each in sides.items() if each is not None]
    return f"; the nearest legal cuts: {', '.join(found)}" if found else "; no other cut is legal"


def _modules(node: fx.Node) -> list[str]:
    stack = node.meta.get("nn_module_stack", {})
    return [name for entry in stack.values() if (name := str(entry[0]).split("@")[0])]


def _is_legal(flow: DataFlow, stage: str, batch: int) -> bool:
    own = [node for node in flow.path if within(node, stage)]
    parts = _alone(flow, own) or _together(flow, own[-1], [flow.data])
    inner = parts not in ((flow.data,), (flow.answer,))
    return inner and all(batch_axis(node, batch) is not None for node in parts)


def _tensor(node: fx.Node) -> torch.Tensor:
    value = node.meta["val"]
    assert isinstance(value, torch.Tensor)
    return value
