"""Whether two halves compute what the network computes, on a random input, before anything else.

    module(x)  ==  tail(head(x))      at every cut

The module itself is asked twice: what answers differently the second time has no answer to compare.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, fx, nn

TOLERANCE = 1e-4
"""Largest difference allowed, as a fraction of the largest answer (or of 1, where that is less).

Of half-precision answers 8 of their steps, where layers are computed in other pieces.
"""


class CompositionError(ValueError):
    """Tail after head is not the network; the message names the cut or the operator."""


@torch.inference_mode()
def check_composition(
    name: str,
    module: nn.Module,
    sides: Iterable[tuple[str, nn.Module, nn.Module]],
    program: fx.GraphModule,
    example: Tensor,
) -> None:
    """Compare the halves of every cut with `module` on an input drawn like `example`.

    Raises:
        CompositionError: they differ, or the module's own answers do, or it fails.
    """
    x = draw_like(example)
    answer, second = (_ask(name, module, x) for _ in range(2))
    if differ(second, answer):
        raise CompositionError(
            f"{name} cannot be cut: it answers the same input differently from call to call"
            f"{_random_operator(program, x)}"
        )
    for cut, head, tail in sides:
        again = answers_of(tail(head(x.clone())))
        if words := differ(again, answer):
            raise CompositionError(f"{name} cannot be cut at {cut}: tail after head gives {words}")


def _ask(name: str, module: nn.Module, x: Tensor) -> list[Tensor]:
    try:
        return answers_of(module(x.clone()))
    except Exception as error:  # whatever a network of the user raises
        first = next(iter(str(error).splitlines()), "")
        raise CompositionError(
            f"{name} fails on a random input like its example: {type(error).__name__}: {first}"
        ) from error


def draw_like(example: Tensor, seed: int = 0) -> Tensor:
    """Random numbers of the example's shape, type and range (a constant one: around it).

    Whole numbers stay within the example's range, so that tokens stay in the vocabulary.
    """
    generator = torch.Generator().manual_seed(seed)
    here = example.detach().to("cpu")
    if here.dtype == torch.bool:
        drawn = torch.rand(here.shape, generator=generator) < 0.5
    elif here.dtype.is_floating_point:
        low, high = (float(bound) for bound in here.aminmax()) if here.numel() else (0.0, 0.0)
        unit = torch.rand(here.shape, generator=generator, dtype=torch.float64)
        drawn = low + (high - low) * unit if high > low else low + 2.0 * unit - 1.0
    else:
        low, high = (int(bound) for bound in here.aminmax()) if here.numel() else (0, 0)
        drawn = torch.randint(low, high + 1, here.shape, generator=generator)
    return drawn.to(here.dtype).to(example.device)


def answers_of(out: object) -> list[Tensor]:
    """Every tensor that a module gave, whatever it wrapped them in."""
    return [leaf for leaf in torch.utils._pytree.tree_leaves(out) if isinstance(leaf, Tensor)]


def differ(again: list[Tensor], answer: list[Tensor], slack: float = 1.0) -> str:
    """In words where two lists of answers differ by more than `slack` times the tolerance; empty if
    nowhere.
    """
    if len(again) != len(answer):
        return f"{len(again)} tensors where the network gives {len(answer)}"
    for at, (one, other) in enumerate(zip(again, answer, strict=True)):
        if one.shape != other.shape or one.dtype != other.dtype:
            kinds = [
                f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in (one, other)
            ]
            return f"{kinds[0]} where the network gives {kinds[1]}"
        a, b = _numbers(one), _numbers(other)
        wrong = _wrong(a, b, slack * _allowed(one.dtype))
        if wrong.any():
            first = int(wrong.nonzero()[0])
            which = f" in answer {at + 1}" if len(answer) > 1 else ""
            return f"{float(a[first]):.4g} where the network gives {float(b[first]):.4g}{which}"
    return ""


def _numbers(tensor: Tensor) -> Tensor:
    """All of a tensor in one row of doubles."""
    plain = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return plain.double().flatten()


def _allowed(dtype: torch.dtype) -> float:
    """Fraction of the largest answer that may be lost: more where numbers have fewer digits."""
    fine = dtype.is_floating_point or dtype.is_complex
    return max(TOLERANCE, 8 * torch.finfo(dtype).eps) if fine else 0.0


def _wrong(again: Tensor, answer: Tensor, allowed: float) -> Tensor:
    """Which numbers are further apart than allowed; two NaN, or equal infinities, are not."""
    finite = answer[answer.isfinite()].abs()
    scale = max(1.0, float(finite.max())) if finite.numel() else 1.0
    same = (again == answer) | (again.isnan() & answer.isnan())
    return ~same & ~((again - answer).abs() <= allowed * scale)


def _random_operator(program: fx.GraphModule, x: Tensor) -> str:
    """The first operator of the graph whose value differs between two runs."""
    one, other = _Record(program), _Record(program)
    for run in (one, other):
        run.run(x.clone())
    for node, value in one.values.items():
        if differ(answers_of(value), answers_of(other.values[node])):
            return f": {node.target} draws numbers"
    return ""


class _Record(fx.Interpreter):
    """Runs a graph and keeps the value of every operator."""

    def __init__(self, program: fx.GraphModule) -> None:
        super().__init__(program, garbage_collect_values=False)
        self.values: dict[fx.Node, object] = {}

    def run_node(self, n: fx.Node) -> object:
        out = super().run_node(n)
        if n.op == "call_function":
            self.values[n] = out
        return out
