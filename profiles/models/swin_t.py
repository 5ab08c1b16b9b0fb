"""Swin-T (Liu et al. 2021): 28.288 M parameters, 4.5 GMAC at 224 x 224."""

from torch import Tensor, nn

from profiles.models import checkpoint
from profiles.models.data import imagenet
from profiles.models.network import Network

PATCH = 4
STAGES = ("stem", "stage1", "stage2", "stage3", "stage4")


class Stem(nn.Module):
    """Patches to tokens: images [batch, 3, 224, 224] to [batch, 56 * 56, 96]."""

    def __init__(self, embeddings: nn.Module) -> None:
        super().__init__()
        self.embeddings = embeddings

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images to tokens."""
        tokens: Tensor = self.embeddings(x)[0]
        return tokens


class Stage(nn.Module):
    """The blocks of one resolution and the merging of patches behind them."""

    def __init__(self, stage: nn.Module, side: int) -> None:
        super().__init__()
        self.stage, self.side = stage, side

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [batch, side * side, width] to tokens of the next resolution."""
        merged: Tensor = self.stage(tokens, (self.side, self.side))[0]
        return merged


class TokenMean(nn.Module):
    """Mean over the tokens."""

    def forward(self, tokens: Tensor) -> Tensor:
        """[batch, token, width] to [batch, width]."""
        return tokens.mean(1)


def network(weights: str = "") -> Network:
    """Cuts behind the patch embedding and the four stages."""
    return imagenet.network("swin_t", parts, STAGES, weights=weights)


def parts(weights: str) -> dict[str, nn.Module]:
    """The network's parts in order."""
    model = checkpoint.load_or_draw("SwinForImageClassification", "SwinConfig", weights)
    side = imagenet.SIZE // PATCH
    layers = [Stage(stage, side >> i) for i, stage in enumerate(model.swin.encoder.layers)]
    return {
        "stem": Stem(model.swin.embeddings),
        **{f"stage{i}": layer for i, layer in enumerate(layers, 1)},
        "norm": model.swin.layernorm,
        "pool": TokenMean(),
        "classifier": model.classifier,
    }
