"""One side of a cut: a module between the tensors that cross here and those that cross there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True, kw_only=True)
class Part:
    """One tensor of a cut: its type, the axis that is the batch, the shape of one sample."""

    dtype: torch.dtype
    axis: int
    shape: tuple[int, ...]

    def read(self, value: torch.Tensor) -> np.ndarray:
        """The tensor as an array [sample, ...]; bfloat16, which numpy does not know, as float32."""
        known = value.float() if value.dtype == torch.bfloat16 else value
        return np.asarray(known.movedim(self.axis, 0).numpy())

    def restore(self, value: np.ndarray) -> torch.Tensor:
        """The tensor of an array [sample, ...]."""
        whole = torch.from_numpy(np.ascontiguousarray(value)).to(self.dtype)
        return whole.movedim(0, self.axis).contiguous()


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """One side of a cut as a module; `nothing` is true where it only hands on.

    `module` takes one tensor, or the tuple of a cut of several parts, and gives likewise. `takes`
    and `gives` are the types of both, and the axes that are the batch; `run` has it in front.
    """

    module: nn.Module
    nothing: bool
    takes: tuple[Part, ...]
    gives: tuple[Part, ...]

    @torch.inference_mode()
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Run it on one tensor without recording gradients.

        Raises:
            ValueError: it gives several tensors, which only `run` and `module` hand out.
        """
        y = self.module(x)
        if not isinstance(y, torch.Tensor):
            raise ValueError(f"the network gives {len(y)} answers; to be judged it must give one")
        return y

    @torch.inference_mode()
    def run(self, values: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        """Run it on arrays [sample, ...], one for every part; gives such arrays."""
        given = tuple(part.restore(value) for part, value in zip(self.takes, values, strict=True))
        out = self.module(given[0] if len(given) == 1 else given)
        results = (out,) if isinstance(out, torch.Tensor) else tuple(out)
        return tuple(part.read(each) for part, each in zip(self.gives, results, strict=True))


class Spread(nn.Module):
    """A module of several tensors as one of their tuple."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, values: tuple[torch.Tensor, ...]) -> object:
        """What the module gives of the tensors in a tuple."""
        return self.inner(*values)
