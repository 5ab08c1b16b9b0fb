"""Predefined sparsity: masks of constant degrees, fixed before training, applied after every step.

    inputs  N_in  --- d_out links each ---  d_in links each  --- N_out outputs

|W| = N_in d_out = N_out d_in, density rho = d_out / N_out; feasible are the densities
k / gcd(N_in, N_out) (arXiv 2407.11763; Dey et al., arXiv 1812.01164, for the masks). Of a
convolution the links are between channels, each with its whole kernel.

Masks [output, input]; weights [output, input, ...].
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_SWAPS_PER_LINK = 10


def mask(n_in: int, n_out: int, out_degree: int, seed: int) -> NDArray[np.bool_]:
    """A random mask [output, input]: every input has `out_degree` links, every output as many as
    any other.

    Raises:
        ValueError: an out-degree that leaves no whole in-degree, with those that do.
    """
    step = n_out // math.gcd(n_in, n_out)
    if not 1 <= out_degree <= n_out or out_degree % step:
        allowed = ", ".join(str(k) for k in range(step, n_out + 1, step))
        raise ValueError(
            f"out_degree of {n_in} to {n_out} must be one of {allowed}, got {out_degree}"
        )
    links = np.arange(n_in * out_degree)
    made = np.zeros((n_out, n_in), bool)
    made[links % n_out, links // out_degree] = True
    _shuffle(made, np.random.default_rng(seed))
    return made


def _shuffle(made: NDArray[np.bool_], draw: np.random.Generator) -> None:
    """Swap the ends of random pairs of links where that makes no link twice; degrees stay."""
    ends, starts = np.nonzero(made)
    pairs = draw.integers(len(ends), size=(_SWAPS_PER_LINK * len(ends), 2))
    for one, other in pairs.tolist():
        end, start, far_end, far_start = ends[one], starts[one], ends[other], starts[other]
        if made[end, far_start] or made[far_end, start]:
            continue
        made[end, start] = made[far_end, far_start] = False
        made[end, far_start] = made[far_end, start] = True
        ends[one], ends[other] = far_end, end


Masks = Mapping[str, Tensor]
"""By the dotted name of a layer, broadcast over its weight."""


def masks_of(module: nn.Module, out_degrees: Mapping[str, int], seed: int) -> dict[str, Tensor]:
    """A mask for each named linear or convolutional layer, every one of a seed of its own."""
    made = {}
    for number, (name, degree) in enumerate(out_degrees.items()):
        weight = _weight(module, name)
        n_out, n_in = weight.shape[:2]
        links = torch.from_numpy(mask(n_in, n_out, degree, seed + number))
        made[name] = links.view(n_out, n_in, *(1,) * (weight.ndim - 2))
    return made


@torch.no_grad()
def apply(module: nn.Module, masks: Masks) -> None:
    """Set the weights off the masks to zero."""
    for name, links in masks.items():
        _weight(module, name).mul_(links)


def off_mask(module: nn.Module, masks: Masks) -> int:
    """How many weights off the masks are not zero."""
    weights = {name: _weight(module, name).detach() for name in masks}
    return sum(int(((weights[name] != 0) & ~links).sum()) for name, links in masks.items())


def n_links(masks: Masks, module: nn.Module) -> int:
    """Weights on the masks, kernels counted whole."""
    return sum(
        int(links.sum()) * _weight(module, name)[0, 0].numel() for name, links in masks.items()
    )


def _weight(module: nn.Module, name: str) -> nn.Parameter:
    weight = module.get_submodule(name).weight
    assert isinstance(weight, nn.Parameter)
    return weight
