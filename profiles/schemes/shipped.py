"""Where the weights of the schemes lie, and how they are made small."""

import torch
from torch import nn

from profiles.models import weights

SHIPPED = weights.SHIPPED.parent / "schemes"


@torch.no_grad()
def round_weights(module: nn.Module) -> None:
    """To the eight significant bits of bfloat16, so that the file shrinks; judged after that."""
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.to(torch.bfloat16))
