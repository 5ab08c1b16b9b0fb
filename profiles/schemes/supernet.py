"""A slimmable supernet: one set of weights for every architecture of a space (NASC, one-shot).

    images -[ block1 ]-[ block2 ]- ... -[ largest of all positions ]-[ classifier ]-> scores

Each block is a 3 x 3 convolution with batch normalisation and ReLU; an architecture chooses its
width (its first channels are used) and its stride. Normalisation is kept apart for every width in,
width out and stride (slimmable networks, arXiv 1812.08928): their statistics differ; so is the
classifier for every width. A `Subnet` is
one architecture cut out, with weights of its own. Shapes: images uint8 [batch, side, side, n_in],
features [batch, width, side, side], scores [batch, class].
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from profiles.models.residual import Normalise

WIDTHS = (8, 16, 32)
STRIDES = (1, 2)
_BLOCK = re.compile(r"(\d+)(?:/(\d+))?")


@dataclass(frozen=True)
class Architecture:
    """Width and stride of every block; as text "8/2-16-32": a stride of 1 is left out."""

    widths: tuple[int, ...]
    strides: tuple[int, ...]

    def __str__(self) -> str:
        pairs = zip(self.widths, self.strides, strict=True)
        return "-".join(f"{w}" if s == 1 else f"{w}/{s}" for w, s in pairs)

    @classmethod
    def read(cls, text: str, n_blocks: int) -> "Architecture":
        """That of a text.

        Raises:
            ValueError: not so many blocks, or a width or stride outside the space.
        """
        parts = [_BLOCK.fullmatch(part.strip()) for part in str(text).split("-")]
        pairs = [(int(p[1]), int(p[2] or 1)) for p in parts if p is not None]
        known = all(w in WIDTHS and s in STRIDES for w, s in pairs)
        if None in parts or len(pairs) != n_blocks or not known:
            raise ValueError(
                f"scheme.architecture must be search, or {n_blocks} blocks width/stride of widths"
                f" {', '.join(map(str, WIDTHS))} and strides 1, 2 such as"
                f" {'-'.join(['16/2'] * n_blocks)}, got {text!r}"
            )
        return cls(*zip(*pairs, strict=True))


def architectures(n_blocks: int) -> Iterator[Architecture]:
    """The whole space, 6 to the power of the blocks."""
    for widths in itertools.product(WIDTHS, repeat=n_blocks):
        for strides in itertools.product(STRIDES, repeat=n_blocks):
            yield Architecture(widths, strides)


@dataclass(frozen=True, kw_only=True)
class Space:
    """What all architectures share: side and channels of an image, blocks, classes, and the mean
    and spread of its values, in units of the largest one, `white`.
    """

    side: int
    n_in: int
    n_blocks: int
    n_classes: int
    white: float = 255.0
    centre: float = 0.5
    spread: float = 0.25

    @property
    def stages(self) -> tuple[str, ...]:
        """Cut names."""
        return tuple(f"block{i + 1}" for i in range(self.n_blocks))

    @property
    def widest(self) -> Architecture:
        """The one that computes most."""
        return Architecture((WIDTHS[-1],) * self.n_blocks, (STRIDES[0],) * self.n_blocks)

    def normalise(self) -> nn.Module:
        """The layer that makes images features."""
        return Normalise([self.centre] * self.n_in, [self.spread] * self.n_in, self.white)

    def sides(self, one: Architecture) -> tuple[int, ...]:
        """Side of the input, then of every block's output."""
        found = [self.side]
        for stride in one.strides:
            found.append(-(-found[-1] // stride))
        return tuple(found)

    def macs(self, one: Architecture) -> tuple[int, ...]:
        """Multiply-adds of every block, then of the classifier."""
        ins, sides = (self.n_in, *one.widths), self.sides(one)
        blocks = [9 * ins[i] * width * sides[i + 1] ** 2 for i, width in enumerate(one.widths)]
        return (*blocks, one.widths[-1] * self.n_classes)

    def elements(self, one: Architecture) -> tuple[int, ...]:
        """Numbers that every block gives."""
        return tuple(w * s * s for w, s in zip(one.widths, self.sides(one)[1:], strict=True))


class SlimBlock(nn.Module):
    """A convolution of which the first channels are used, and a normalisation for each use."""

    def __init__(self, widths_in: Sequence[int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(widths_in[-1], WIDTHS[-1], 3, 1, 1, bias=False)
        uses = itertools.product(widths_in, WIDTHS, STRIDES)
        self.norms = nn.ModuleDict({_key(*use): nn.BatchNorm2d(use[1]) for use in uses})

    def forward(self, x: Tensor, width: int, stride: int) -> Tensor:
        """A feature to one of that width, its sides over the stride."""
        weight = self.convolution.weight[:width, : x.shape[1]]
        norm = self.norms[_key(x.shape[1], width, stride)]
        return nn.functional.relu(norm(nn.functional.conv2d(x, weight, stride=stride, padding=1)))

    def cut_out(self, n_in: int, width: int, stride: int) -> nn.Sequential:
        """One use of it, with weights of its own."""
        convolution = nn.Conv2d(n_in, width, 3, stride, 1, bias=False)
        with torch.no_grad():
            convolution.weight.copy_(self.convolution.weight[:width, :n_in])
        norm = nn.BatchNorm2d(width)
        norm.load_state_dict(self.norms[_key(n_in, width, stride)].state_dict())
        return nn.Sequential(convolution, norm, nn.ReLU())


class Supernet(nn.Module):
    """All architectures of a space at once; `choose` says which one `forward` computes."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self.normalise = space.normalise()
        self.parts = [SlimBlock(WIDTHS if i else (space.n_in,)) for i in range(space.n_blocks)]
        self.blocks = nn.ModuleList(self.parts)
        self.classifiers = nn.ModuleDict({str(w): nn.Linear(w, space.n_classes) for w in WIDTHS})
        self.choose(space.widest)

    def choose(self, one: Architecture) -> None:
        """Compute this architecture from now on."""
        self.chosen = one

    def forward(self, images: Tensor) -> Tensor:
        """Images to the scores of the chosen architecture."""
        x: Tensor = self.normalise(images)
        for block, width, stride in zip(
            self.parts, self.chosen.widths, self.chosen.strides, strict=True
        ):
            x = block(x, width, stride)
        scores: Tensor = self.classifiers[str(x.shape[1])](x.amax((2, 3)))
        return scores


class Subnet(nn.Module):
    """One architecture, cut out of a supernet: what a device and a server would run."""

    def __init__(self, whole: Supernet, one: Architecture) -> None:
        super().__init__()
        self.normalise = whole.space.normalise()
        n = whole.space.n_in
        for name, block, width, stride in zip(
            whole.space.stages, whole.parts, one.widths, one.strides, strict=True
        ):
            self.add_module(name, block.cut_out(n, width, stride))
            n = width
        self.classifier = nn.Linear(n, whole.space.n_classes)
        self.classifier.load_state_dict(whole.classifiers[str(n)].state_dict())
        self._stages = whole.space.stages
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Images to scores."""
        x = self.normalise(images)
        for stage in self._stages:
            x = self.get_submodule(stage)(x)
        scores: Tensor = self.classifier(x.amax((2, 3)))
        return scores


def one_shot_loss(space: Space, n_random: int, seed: int) -> Callable[..., Tensor]:
    """Of every batch the mean cross-entropy of the widest, the narrowest and some architectures at
    random (the sandwich rule, arXiv 1903.05134).
    """
    draw = torch.Generator().manual_seed(seed)
    every: Sequence[Architecture] = list(architectures(space.n_blocks))

    def measure(module: Supernet, inputs: Tensor, labels: Tensor) -> Tensor:
        picks = torch.randint(len(every), (n_random,), generator=draw).tolist()
        strides = every[picks[0]].strides
        ends = [Architecture((w,) * space.n_blocks, strides) for w in (WIDTHS[0], WIDTHS[-1])]
        losses = []
        for one in [*ends, *[every[pick] for pick in picks]]:
            module.choose(one)
            losses.append(nn.functional.cross_entropy(module(inputs), labels))
        return torch.stack(losses).mean()

    return measure


def _key(n_in: int, width: int, stride: int) -> str:
    return f"{n_in}-{width}-{stride}"
