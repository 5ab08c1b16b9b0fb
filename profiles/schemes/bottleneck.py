"""An entropy bottleneck: a small encoder, whole numbers, a density for each channel; a decoder.

    images -[ conv GDN conv GDN conv ]- y -[ round ]- numbers ...> [ conv IGDN conv IGDN conv ]-+
                                        |                                                      |
                                        +- in training: y + noise -> bits      a teacher's feature

Each channel has a logistic density p of location m and scale s; a whole number k costs
-log2(P(k + 1/2) - P(k - 1/2)) bits, P the cumulative logistic. In training additive uniform noise
stands for rounding, since its density has those probabilities at whole numbers (Balle et al.,
arXiv 1611.01704). Shapes: images uint8 [batch, row, column, channel]; latents and features
[batch, channel, row, column].
"""

import copy

import torch
from torch import Tensor, nn

from profiles.schemes.gdn import Gdn
from profiles.schemes.multitask import MultiTask

_LEAST_PROBABILITY = 1e-9


class Quantise(nn.Module):
    """To whole numbers; plus uniform noise of +-1/2 instead while it is trained and `noisy`."""

    noisy = True

    def forward(self, y: Tensor) -> Tensor:
        """Latents to what is sent."""
        if self.training and self.noisy:
            return y + torch.rand_like(y) - 0.5
        return y.round()


class Prior(nn.Module):
    """The logistic densities of `channels` channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.location = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def bits(self, latents: Tensor) -> Tensor:
        """Of every latent, whole or noisy, in its shape."""
        shape = (-1, *(1,) * (latents.ndim - 2))
        middle = latents - self.location.view(shape)
        scale = self.log_scale.exp().view(shape)
        # in the lower tail, where the difference of two numbers near 1 would lose its digits
        away = -middle.abs()
        mass = torch.sigmoid((away + 0.5) / scale) - torch.sigmoid((away - 0.5) / scale)
        return -mass.clamp_min(_LEAST_PROBABILITY).log2()


def encoder(n_in: int, channels: int, normalise: nn.Module) -> nn.Sequential:
    """Two halving 5 x 5 convolutions and one of 2 x 2, to `channels` channels of latents."""
    wide, middle = 4 * channels, 2 * channels
    return nn.Sequential(
        normalise, nn.Conv2d(n_in, wide, 5, 2, 2), Gdn(wide),
        nn.Conv2d(wide, middle, 5, 2, 2), Gdn(middle),
        nn.Conv2d(middle, channels, 2), Quantise(),
    )  # fmt: skip


def decoder(channels: int, middle: int, n_out: int) -> nn.Sequential:
    """Three 2 x 2 convolutions, of which the outer two widen the map by one: 3 x 3 to 4 x 4."""
    return nn.Sequential(
        nn.Conv2d(channels, middle, 2, 1, 1), Gdn(middle, inverse=True),
        nn.Conv2d(middle, middle, 2), Gdn(middle, inverse=True),
        nn.Conv2d(middle, n_out, 2, 1, 1), nn.ReLU(),
    )  # fmt: skip


class Bottlenecked(nn.Module):
    """A teacher whose first two stages have become an encoder on the device and a decoder on the
    server; its third stage is the body that all heads share.

    `channels`: of the latents; `middle`: of the decoder; `n_in`: of images; `n_out`: of the
    teacher's feature.
    """

    stages = ("encoder", "decoder", "body")

    def __init__(
        self, teacher: MultiTask, normalise: nn.Module, *, channels: int, middle: int,
        n_in: int, n_out: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder = encoder(n_in, channels, normalise)
        self.prior = Prior(channels)
        self.decoder = decoder(channels, middle, n_out)
        self.body = copy.deepcopy(teacher.stage3)
        self.heads = copy.deepcopy(teacher.heads)
        self.requires_grad_(True)  # whatever the teacher's were

    def forward(self, images: Tensor) -> Tensor:
        """Images to the answers to all tasks."""
        answers: Tensor = self.heads(self.body(self.decoder(self.encoder(images))).flatten(1))
        return answers

    def freeze_encoder(self) -> "Bottlenecked":
        """Itself, with what the device and both coders hold as it is from now on."""
        for part in (self.encoder, self.prior):
            part.requires_grad_(False)
        next(one for one in self.encoder if isinstance(one, Quantise)).noisy = False
        return self
