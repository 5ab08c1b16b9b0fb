"""Networks whose weights stay as they are, while something learns before, behind or within them.

    images -[ head: up to `after` ]- z ... -[ send ]- what crosses -[ tail ]- scores

`head` and `send` are the device's, `tail` the server's; `send` does nothing unless the closed
network has a codec of its own. Shapes: images uint8 [image, row, column, channel]; features
[image, channel, row, column]; scores [image, class].
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from profiles.models import digits, scenes
from profiles.models.network import Network
from profiles.models.residual import STAGES, ResidualNet
from profiles.schemes import mtl_split, multitask
from profiles.schemes.datasets import DIGITS, SCENES16

Part = Callable[[Tensor], Tensor]
_BATCH = 250


class Mean(nn.Module):
    """Of every channel over its positions."""

    def forward(self, z: Tensor) -> Tensor:
        """[image, channel, row, column] to [image, channel]."""
        return z.mean((2, 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class Closed:
    """A closed network in its parts; `whole` holds all its weights, `exit` is its exit head.

    `carry`: what a channel of its own makes of what crosses at a bit error rate, one of those in
    training where that is None; None: it has no channel.
    """

    whole: nn.Module
    head: Part
    tail: Part
    send: Part = field(default_factory=nn.Identity)
    exit: nn.Module | None = None
    carry: Callable[[Tensor, float | None], Tensor] | None = None

    def features(self, images: NDArray[Any]) -> Tensor:
        """What the head makes of many images, in batches."""
        with torch.no_grad():
            return torch.cat([self.head(x) for x in torch.split(torch.from_numpy(images), _BATCH)])


def network(model: str, fold: int = 0) -> Network:
    """The shipped network of a data set, its weights closed: of `scenes16` that of MTL-Split for
    the class alone, of `digits` that of a fold.
    """
    if model == DIGITS:
        made = digits.network(fold)
    else:
        made = mtl_split.network_of_class(model) if model == SCENES16 else scenes.network()
    made.module.requires_grad_(False)
    return made


def chain(module: nn.Module) -> nn.Sequential:
    """A network as one module after the other, its stages by their names; the weights are shared.

    Raises:
        TypeError: neither a residual network nor one of MTL-Split.
    """
    parts: dict[str, nn.Module] = {}
    if isinstance(module, ResidualNet):
        parts = {"normalise": module.normalise}
        parts |= {stage: module.get_submodule(stage) for stage in STAGES}
        parts |= {"mean": Mean(), "classifier": module.classifier}
    elif isinstance(module, multitask.MultiTask):
        parts = {stage: module.get_submodule(stage) for stage in multitask.STAGES}
        parts |= {"flatten": nn.Flatten(), "head": module.heads[0]}
    else:
        raise TypeError(f"no chain of stages: {type(module).__name__}")
    return nn.Sequential(OrderedDict(parts))


def split(module: nn.Module, after: str) -> tuple[nn.Module, nn.Module]:
    """A network up to the stage `after` and behind it."""
    whole = chain(module)
    first = [name for name, _ in whole.named_children()].index(after) + 1
    return whole[:first], whole[first:]


def close(module: nn.Module, after: str, *, exits: bool = False) -> Closed:
    """A network closed around what is sent behind the stage `after`."""
    head, tail = split(module.eval().requires_grad_(False), after)
    return Closed(
        whole=module, head=head, tail=tail,
        exit=module.get_submodule("exit_head") if exits else None,
    )  # fmt: skip
