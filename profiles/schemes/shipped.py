"""Where the weights of the schemes lie, and how they are made small."""

from typing import Any

import torch
from torch import nn

from profiles.models import weights
from profiles.models.recipe import Recipe

SHIPPED = weights.SHIPPED.parent / "schemes"


def load_shipped(module: nn.Module, recipe: Recipe) -> dict[str, Any]:
    """Fill a module with the shipped weights of a recipe; their provenance.

    Raises:
        WeightsError: a damaged file, or none.
    """
    return weights.load_weights(module, SHIPPED / f"{recipe.name}.npz")


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """To the eight significant bits of bfloat16, so that the file shrinks; judged after that."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.to(torch.bfloat16))
