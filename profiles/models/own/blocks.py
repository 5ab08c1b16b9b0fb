"""The blocks of a network after which it can be cut, found by watching a call of one and of two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_ENOUGH = 4
ENDS = ("input", "output")

Places = frozenset[tuple[int, int]]
"""Where tensors lie, and how often each had been written to."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calls:
    """The submodules that computed something of the data, in the order in which they ended.

    `ended` has what each of them gave last, `answer` what the network gave; None where that is not
    one tensor.
    """

    module: nn.Module
    ended: Mapping[str, Places]
    answer: Tensor | None
    end: Places

    @property
    def known(self) -> list[str]:
        """Every submodule by its dotted name."""
        return [name for name, _ in self.module.named_modules(remove_duplicate=False) if name]

    def below(self, name: str) -> list[str]:
        """The nearest submodules below one that gave something else than it does itself."""
        start = f"{name}." if name else ""
        inner = [each for each in self.ended if each.startswith(start) and each != name]
        near = [e for e in inner if not any(e.startswith(f"{o}.") for o in inner if o != e)]
        return [each for each in near if self.ended[each] != self.ended.get(name)]

    def n_parameters(self, name: str) -> int:
        """Numbers in the parameters of a submodule."""
        return sum(each.numel() for each in self.module.get_submodule(name).parameters())


def largest(calls: Calls) -> tuple[str, ...]:
    """Cuts after the children of the network; the largest of them is taken apart until there are
    four or more. What gives the answer is none.
    """
    chosen, whole = calls.below(""), set[str]()
    while len(chosen) <= _ENOUGH:
        open_ones = [name for name in chosen if name not in whole and calls.below(name)]
        if not open_ones:
            break
        most = max(open_ones, key=calls.n_parameters)
        whole.add(most)
        at = chosen.index(most)
        chosen[at:at] = calls.below(most)
    return tuple(name for name in chosen if calls.ended[name] != calls.end)


@torch.no_grad()
def watch(module: nn.Module, example: Tensor) -> Calls:
    """Call a network on its example, and note what hands on tensors that it made or wrote itself,
    each with an axis that is the batch.

    Raises:
        ValueError: the answer is no tensor.
    """
    one, two = (_Watch(module).call(torch.cat([example] * n)) for n in (1, 2))
    if not one.answers:
        raise ValueError("it must answer with a tensor")
    kept = {
        name: one.places[name]
        for name, shapes in one.shapes.items()
        if name not in ENDS and _grow(shapes, two.shapes.get(name, []))
    }
    alone = one.answers[0] if len(one.answers) == 1 else None
    return Calls(module=module, ended=kept, answer=alone, end=_places(one.answers))


class _Watch:
    """What the submodules gave in one call; their tensors are kept, so that no place is reused."""

    def __init__(self, module: nn.Module) -> None:
        self._module, self._kept = module, list[Tensor]()
        self._before = dict[str, Places]()
        self.places, self.shapes = dict[str, Places](), dict[str, list[torch.Size]]()
        self.answers: list[Tensor] = []

    def call(self, example: Tensor) -> "_Watch":
        named = [(name, part) for name, part in self._module.named_modules() if name]
        hooks = [part.register_forward_pre_hook(self._enter(name)) for name, part in named]
        hooks += [part.register_forward_hook(self._leave(name)) for name, part in named]
        try:
            self.answers = _tensors(self._module(example))
        finally:
            for hook in hooks:
                hook.remove()
        return self

    def _enter(self, name: str) -> Callable[[nn.Module, object], None]:
        def enter(_: nn.Module, given: object) -> None:
            self._before[name] = _places(_tensors(given))

        return enter

    def _leave(self, name: str) -> Callable[[nn.Module, object, object], None]:
        def leave(_: nn.Module, given: object, out: object) -> None:
            tensors = _tensors(out)
            self._kept += tensors
            for notes in (self.places, self.shapes):
                notes.pop(name, None)
            if tensors and not _places(tensors) <= self._before[name]:
                self.places[name] = _places(tensors)
                self.shapes[name] = [each.shape for each in tensors]

        return leave


def _grow(one: Sequence[torch.Size], two: Sequence[torch.Size]) -> bool:
    """Whether every tensor of one sample has an axis that is longer for two."""
    if len(one) != len(two):
        return False
    pairs = zip(one, two, strict=True)
    return all(any((a, b) == (1, 2) for a, b in zip(*pair, strict=False)) for pair in pairs)


def _tensors(value: object) -> list[Tensor]:
    leaves = torch.utils._pytree.tree_leaves(value)
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def _places(tensors: Sequence[Tensor]) -> Places:
    return frozenset((each.untyped_storage().data_ptr(), each._version) for each in tensors)
