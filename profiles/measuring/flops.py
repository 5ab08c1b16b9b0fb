"""FLOPs of one call, a multiply-add counted as two, fused operators included.

torch's own counter (torch.utils.flop_counter) knows convolutions and matrix products; kernels that
fuse several of them are counted here, from the shapes of what they are given:

    attention [.., L, E] x [.., S, E] x [.., S, V]   2 L S (E + V) a head; told that it is causal,
                                                     only the pairs that see each other
    recurrent layer, T steps                         2 T (numbers in its weight matrices)
    bilinear [N, I] x [O, I, J] x [N, J]             2 N O J (I + 1)

Approximation: element-wise work, normalisation, softmax and look-ups count nothing, as in the
papers' figures; neither does an operator of a library of the user's own. Of the branches of
torch.cond the larger one counts, of a loop operator (scan, while_loop) one turn.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, fx
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

Formula = Callable[..., float]
T = TypeVar("T")


def attention_flops(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **_: Any,
) -> float:
    """Scores and their sums of values. A mask given as a tensor saves no work, causality does.

    Causal: query i sees the keys 0 .. i (torch aligns the mask to the upper left).
    """
    *batch, n_queries, width = query.shape
    n_keys = key.shape[-2]
    pairs = n_queries * n_keys
    if is_causal:
        square = min(n_queries, n_keys)
        pairs = square * (square + 1) // 2 + (n_queries - square) * n_keys
    return float(2 * math.prod(batch) * pairs * (width + value.shape[-1]))


def recurrent_flops(data: Tensor, *args: Any, **kwargs: Any) -> float:
    """LSTM, GRU or plain: every matrix meets every step of every sample once.

    `args` are those of torch.lstm and its siblings; a packed sequence [step, feature] comes with
    the batch size of every step, a padded one has three dimensions.
    """
    weights = next(a for a in args[1:] if isinstance(a, list | tuple))
    steps = (
        data.shape[0] if isinstance(args[0], Tensor) and data.ndim == 2 else data[..., 0].numel()
    )
    return float(2 * steps * sum(w.numel() for w in weights if w.ndim == 2))


def bilinear_flops(first: Tensor, second: Tensor, weight: Tensor, *_: Any, **__: Any) -> float:
    """x1' W x2 for every output."""
    samples = first[..., 0].numel()
    n_outputs, n_first, n_second = weight.shape
    return float(2 * samples * n_outputs * n_second * (n_first + 1))


_FUSED: dict[str, Formula] = {
    "scaled_dot_product_attention": attention_flops,
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), recurrent_flops),
    "bilinear": bilinear_flops,
}
_EAGER: dict[Any, Formula] = {
    getattr(torch, name, getattr(functional, name, None)): formula
    for name, formula in _FUSED.items()
}
_EAGER[functional.bilinear] = bilinear_flops


def count_flops(run: Callable[[], T]) -> tuple[float, T]:
    """FLOPs of what `run` calls, really executed, and what it gives."""
    with FlopCounterMode(display=False) as counter, _Fused(counter) as fused:
        out = run()
    return float(counter.get_total_flops()) + fused.more, out


def node_flops(node: fx.Node, program: fx.GraphModule) -> float:
    """FLOPs of one node of an exported graph, from shapes alone."""
    target = node.target
    if isinstance(target, torch._ops.HigherOrderOperator):
        inner = [_value(n, program) for n in node.all_input_nodes]
        return max((_whole(p) for p in inner if isinstance(p, fx.GraphModule)), default=0.0)
    if not isinstance(target, torch._ops.OpOverload):
        return 0.0
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: _value(n, program))
    formula = _FUSED.get(target.overloadpacket.__name__)
    if formula is not None:
        return formula(*args, **kwargs)
    fake = next((mode for mode in map(_mode, _tensors(args, kwargs)) if mode is not None), None)
    if fake is None:
        return 0.0
    args, kwargs = torch.utils._pytree.tree_map_only(
        Tensor, lambda t: t if _mode(t) else fake.from_tensor(t), (args, kwargs)
    )
    with torch.no_grad(), fake, FlopCounterMode(display=False) as counter:
        target(*args, **kwargs)
    return float(counter.get_total_flops())


def _whole(program: fx.GraphModule) -> float:
    return sum(node_flops(node, program) for node in program.graph.nodes)


class _Fused(TorchFunctionMode):
    """Adds what the counter misses of a fused function, and takes off what it saw of it."""

    def __init__(self, counter: FlopCounterMode) -> None:
        super().__init__()
        self.more, self._counter = 0.0, counter

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        formula = _EAGER.get(func)
        if formula is None:
            return func(*args, **(kwargs or {}))
        before = self._counter.get_total_flops()
        out = func(*args, **(kwargs or {}))
        seen = self._counter.get_total_flops() - before
        self.more += formula(*args, **(kwargs or {})) - seen
        return out


def _value(node: fx.Node, program: fx.GraphModule) -> Any:
    """What a node stands for: a tensor of the export without numbers, or one of the network's."""
    if node.op != "get_attr":
        return node.meta.get("val")
    value: Any = program
    for name in str(node.target).split("."):
        value = getattr(value, name)
    return value


def _tensors(*values: Any) -> Iterable[Tensor]:
    return [v for v in torch.utils._pytree.tree_leaves(values) if isinstance(v, Tensor)]


def _mode(tensor: Tensor) -> Any:
    return getattr(tensor, "fake_mode", None)
